package drf

import (
	"net/http"
	"strings"

	"latchkey/server/internal/pyjson"
)

// negotiate returns the indentation of the answer. JSON is the only rendering, so that nothing else is negotiable.
func negotiate(r *http.Request, c content) (indent int, err error) {
	if err := checkFormat(r, c); err != nil {
		return 0, err
	}
	headers := r.Header["Accept"]
	if headers == nil {
		return 0, nil
	}
	accept := strings.Join(headers, ",")
	if len(accept) > maxHeader {
		return 0, BadRequest(errHeaderTooLong)
	}
	best := -1
	for token := range strings.SplitSeq(latin1(accept), ",") {
		m := parseMediaType(token)
		if p := m.precedence(); p > best && m.matches("application", "json") {
			best = p
			indent = indentation(m)
		}
	}
	if best < 0 {
		return 0, Refused(http.StatusNotAcceptable, "Could not satisfy the request Accept header.", nil)
	}
	return indent, nil
}

// checkFormat checks ?format=, which may only be json. Django reads the query in the charset of the body.
func checkFormat(r *http.Request, c content) error {
	if !strings.Contains(r.URL.RawQuery, "=") {
		return nil
	}
	query, err := parseForm([]byte(r.URL.RawQuery), c.codec)
	if err != nil {
		return err
	}
	if format, _ := query.Get("format"); format != nil && format != "" && format != "json" {
		return Refused(http.StatusNotFound, "Not found.", nil)
	}
	return nil
}

// indentation returns what "application/json; indent=4" asks for, from 0 to 8.
func indentation(m mediaType) int {
	value, _ := m.param("indent")
	n, ok := pyjson.ParseInt(value)
	switch {
	case !ok || n.Sign() < 0:
		return 0
	case !n.IsInt64() || n.Int64() > 8:
		return 8
	}
	return int(n.Int64())
}
