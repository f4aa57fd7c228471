package web

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"

	"latchkey/server/route"
)

// kinds are the media types of the files that may be served. Scripts are not among them, since pages would not run them.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
	".webp": "image/webp", ".gif": "image/gif", ".ico": "image/x-icon", ".woff2": "font/woff2",
}

// images returns the media types of logos, by the suffixes of their files.
func images() map[string]string {
	found := maps.Clone(kinds)
	maps.DeleteFunc(found, func(_, kind string) bool { return !strings.HasPrefix(kind, "image/") })
	return found
}

func newFile(name, kind string, data []byte) *file {
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:6])
	suffix := path.Ext(name)
	return &file{data: data, kind: kind, url: strings.TrimSuffix(name, suffix) + "." + hash + suffix, etag: `"` + hash + `"`}
}

// Static is a route.Handler for [StaticPath]: the stylesheet, the script and the operator's files. Responses may be cached for ever
// under the name that pages use, which changes with the content, and for five minutes under the plain name, which an operator's
// stylesheet may use.
func (p *Pages) Static(w http.ResponseWriter, r *http.Request) error {
	name := route.Var(r, "file")
	f, ok := p.files[name]
	if a, named := parseAccents(name); named {
		f, ok = newFile(name, kinds[".css"], []byte(a.styles())), true
		f.url = name // it is the content
	}
	if !ok {
		return &route.Error{Status: http.StatusNotFound, Message: "This file does not exist."}
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "public, max-age=300")
	if name == f.url {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if f.kind == kinds[".svg"] {
		// A browser may open an SVG image as a document: it may use its own styles, but must not run or load anything.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
	}
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Length", strconv.Itoa(len(f.data)))
	_, err := w.Write(f.data)
	return err
}
