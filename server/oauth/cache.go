package oauth

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// cacheable is a document that is the same for everybody.
type cacheable struct {
	contentType string
	body        []byte
	etag        string // quoted
	maxAge      time.Duration
}

// writeCacheable writes the document, or 304 if the client's copy is current (RFC 9110 §13.1.2).
func writeCacheable(w http.ResponseWriter, r *http.Request, d cacheable) error {
	h := w.Header()
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(d.maxAge.Seconds())))
	h.Set("ETag", d.etag)
	if matchesETag(r.Header.Values("If-None-Match"), d.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Type", d.contentType)
	h.Set("Content-Length", strconv.Itoa(len(d.body)))
	_, err := w.Write(d.body)
	return err
}

// matchesETag compares weakly: a proxy that compresses marks our tags as weak.
func matchesETag(headers []string, etag string) bool {
	for _, header := range headers {
		for tag := range strings.SplitSeq(header, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
