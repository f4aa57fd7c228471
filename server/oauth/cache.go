package oauth

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// cacheable is a document that is the same for everybody.
type cacheable struct {
	body []byte
	etag string // quoted
	// header are the headers of a 304, described those that the document has besides. All answers share their slices.
	header, described http.Header
}

func newCacheable(contentType string, body []byte, etag string, maxAge time.Duration) *cacheable {
	return &cacheable{
		body: body, etag: etag,
		header:    http.Header{"Cache-Control": {fmt.Sprintf("public, max-age=%d", int(maxAge.Seconds()))}, "Etag": {etag}},
		described: http.Header{"Content-Type": {contentType}, "Content-Length": {strconv.Itoa(len(body))}},
	}
}

// write writes the document, or 304 if the client's copy is current (RFC 9110 §13.1.2).
func (d *cacheable) write(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	maps.Copy(h, d.header)
	if matchesETag(r.Header.Values("If-None-Match"), d.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	maps.Copy(h, d.described)
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
