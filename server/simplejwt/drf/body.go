package drf

import (
	"fmt"
	"io"
	"net/http"

	"latchkey/server/internal/pyjson"
)

// read returns the data of a request. Of an object it returns the members that isField accepts.
func read(r *http.Request, c content, isField func(name string) bool) (pyjson.Value, error) {
	if r.ContentLength == 0 {
		return &pyjson.Dict{}, nil
	}
	parse := parser(c, isField)
	if parse == nil && r.ContentLength > 0 {
		return nil, unsupported(c)
	}
	body, err := io.ReadAll(r.Body) // the route caps it
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case len(body) == 0: // chunked, without a chunk
		return &pyjson.Dict{}, nil
	case parse == nil:
		return nil, unsupported(c)
	}
	return parse(body, c)
}

// parser returns the parser for a media type, nil if there is none.
func parser(c content, isField func(name string) bool) func([]byte, content) (pyjson.Value, error) {
	switch {
	case c.media.matches("application", "json"):
		return func(body []byte, c content) (pyjson.Value, error) { return parseJSON(body, c.codec, isField) }
	case c.media.matches("application", "x-www-form-urlencoded"):
		return func(body []byte, c content) (pyjson.Value, error) { return parseForm(body, c.codec) }
	case c.media.matches("multipart", "form-data"):
		return func(body []byte, c content) (pyjson.Value, error) { return parseMultipart(body, c) }
	}
	return nil
}

// parseJSON is the framework's JSONParser, strict as it is by default.
func parseJSON(body []byte, c codec, isField func(name string) bool) (pyjson.Value, error) {
	text, err := c.stream(body)
	if err == nil {
		var data pyjson.Value
		if data, err = pyjson.Decode(text, pyjson.Options{Strict: true, Only: isField}); err == nil {
			return data, nil
		}
	}
	return nil, ParseError("JSON parse error - " + err.Error())
}

func unsupported(c content) error {
	return Refused(http.StatusUnsupportedMediaType, `Unsupported media type "`+c.header+`" in request.`, nil)
}
