package drf

import (
	"net/http"
	"strings"

	"latchkey/server/internal/pyjson"
)

// negotiate chooses how to answer; JSON is all there is, so that only its indentation is to be chosen.
func negotiate(r *http.Request) (indent int, err error) {
	if err := checkFormat(r); err != nil {
		return 0, err
	}
	headers := r.Header.Values("Accept")
	if headers == nil {
		return 0, nil
	}
	best := -1
	for _, token := range strings.Split(strings.Join(headers, ","), ",") {
		m := parseMediaType(pyjson.Strip(latin1(token)))
		if p := m.precedence(); p > best && m.matches("application", "json") {
			best = p
			indent = indentation(m)
		}
	}
	if best < 0 {
		return 0, &Exception{Status: http.StatusNotAcceptable, Body: detail("Could not satisfy the request Accept header.")}
	}
	return indent, nil
}

// checkFormat looks at ?format=, which may only say json.
func checkFormat(r *http.Request) error {
	if !strings.Contains(r.URL.RawQuery, "=") {
		return nil
	}
	c, err := requestCodec(latin1(lastValue(r.Header["Content-Type"]))) // Django reads the query in the body's charset
	if err != nil {
		c = utf8Codec{}
	}
	query, err := parseForm([]byte(r.URL.RawQuery), c)
	if err != nil {
		return err
	}
	if format, _ := query.Get("format"); format != nil && format != "" && format != "json" {
		return &Exception{Status: http.StatusNotFound, Body: detail("Not found.")}
	}
	return nil
}

// indentation is what "application/json; indent=4" asks for, from 0 to 8.
func indentation(m mediaType) int {
	value, ok := m.param("indent")
	if !ok {
		return 0
	}
	n, ok := pyjson.ParseInt(value)
	switch {
	case !ok || n.Sign() < 0:
		return 0
	case !n.IsInt64() || n.Int64() > 8:
		return 8
	}
	return int(n.Int64())
}
