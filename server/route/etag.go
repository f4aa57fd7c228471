package route

import (
	"net/http"
	"strings"
)

// MatchesETag reports whether an If-None-Match header names an entity tag (RFC 9110 §13.1.2): by the weak comparison.
func MatchesETag(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// Revalidated returns a writer that answers 304, without a body, to a request that has what the ETag of the answer names (RFC 9110 §15.4.5).
func Revalidated(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	if header := r.Header.Get("If-None-Match"); header != "" {
		return &revalidated{ResponseWriter: w, header: header}
	}
	return w
}

type revalidated struct {
	http.ResponseWriter
	header         string // of the request
	begun, matches bool
}

func (w *revalidated) WriteHeader(status int) {
	w.begun = true
	if tag := w.Header().Get("ETag"); status == http.StatusOK && tag != "" && MatchesETag(w.header, tag) {
		w.matches, status = true, http.StatusNotModified
		w.Header().Del("Content-Type")
		w.Header().Del("Content-Length")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *revalidated) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.matches {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *revalidated) Unwrap() http.ResponseWriter { return w.ResponseWriter }
