package drf

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"latchkey/server/internal/pyjson"
)

const (
	// freeBody is how much of a body may be held without asking.
	freeBody = 64 << 10
	// maxBody is how much a body may have at all.
	maxBody = 4 << 20
	// maxLargeBodies is how many bodies beyond freeBody may be held at once.
	maxLargeBodies = 4
	// patience is how long one of them waits for its turn.
	patience = 2 * time.Second
)

var errBodyTooBig = errors.New("the request body exceeds 4 MiB")

// Bodies reads request bodies. It bounds the memory that all large ones together take, so that the framework's
// readiness to read megabytes can't be used to exhaust the server.
type Bodies struct {
	large chan struct{}
}

// NewBodies makes the one that all views of a server share.
func NewBodies() *Bodies { return &Bodies{large: make(chan struct{}, maxLargeBodies)} }

// read gives the data of a request, and a function that says that they are not needed any more.
func (b *Bodies) read(r *http.Request) (data pyjson.Value, release func(), err error) {
	release = func() {}
	if r.ContentLength == 0 {
		return &pyjson.Dict{}, release, nil
	}
	contentType := latin1(lastValue(r.Header["Content-Type"]))
	parse := selectParser(contentType)
	if parse == nil && r.ContentLength > 0 {
		return nil, release, unsupported(contentType)
	}
	body, release, err := b.readAll(r)
	switch {
	case err != nil:
		return nil, release, err
	case len(body) == 0: // chunked, without a chunk
		return &pyjson.Dict{}, release, nil
	case parse == nil:
		return nil, release, unsupported(contentType)
	}
	c, err := requestCodec(contentType)
	if err != nil {
		return nil, release, err
	}
	data, err = parse(body, contentType, c)
	return data, release, err
}

func (b *Bodies) readAll(r *http.Request) (body []byte, release func(), err error) {
	release = func() {}
	body = make([]byte, 0, min(max(r.ContentLength, 511)+1, freeBody))
	for {
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, release, nil
		case err != nil:
			return nil, release, fmt.Errorf("read the body: %w", err)
		case len(body) > maxBody:
			return nil, release, BadRequest(errBodyTooBig)
		case len(body) < cap(body):
			continue
		}
		if len(body) == freeBody {
			if release, err = b.wait(r); err != nil {
				return nil, release, err
			}
		}
		grown := make([]byte, len(body), min(2*cap(body), maxBody+1))
		copy(grown, body)
		body = grown
	}
}

// wait takes one of the places for large bodies.
func (b *Bodies) wait(r *http.Request) (release func(), err error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case b.large <- struct{}{}:
		return func() { <-b.large }, nil
	case <-timer.C:
	case <-r.Context().Done():
	}
	return func() {}, Unavailable(patience, errors.New("too many large request bodies at once"))
}

type parser func(body []byte, contentType string, c codec) (pyjson.Value, error)

// selectParser finds the parser for a media type, nil when there is none.
func selectParser(contentType string) parser {
	m := parseMediaType(contentType)
	switch {
	case m.matches("application", "json"):
		return parseJSON
	case m.matches("application", "x-www-form-urlencoded"):
		return func(body []byte, _ string, c codec) (pyjson.Value, error) { return form(parseForm(body, c)) }
	case m.matches("multipart", "form-data"):
		return func(body []byte, contentType string, c codec) (pyjson.Value, error) {
			return form(parseMultipart(body, contentType, c))
		}
	}
	return nil
}

// form keeps a nil *Dict from becoming a Value that is not nil.
func form(fields *pyjson.Dict, err error) (pyjson.Value, error) {
	if err != nil {
		return nil, err
	}
	return fields, nil
}

// parseJSON is the framework's JSONParser, strict as it is by default.
func parseJSON(body []byte, _ string, c codec) (pyjson.Value, error) {
	text, err := decodeStream(c, body)
	if err == nil {
		var v pyjson.Value
		if v, err = pyjson.Decode(text, pyjson.Options{Strict: true}); err == nil {
			return v, nil
		}
	}
	return nil, ParseError("JSON parse error - "+err.Error(), nil)
}

// requestCodec is the charset that the Content-Type names, UTF-8 when it names none that there is.
func requestCodec(contentType string) (codec, error) {
	charset, ok := parseMediaType(contentType).param("charset")
	if !ok {
		return utf8Codec{}, nil
	}
	c, known := lookupCodec(charset)
	switch {
	case !known:
		return utf8Codec{}, nil
	case c == nil:
		return nil, ParseError(`Unsupported charset "`+charset+`" in request Content-Type header.`, nil)
	}
	return c, nil
}

func unsupported(contentType string) error {
	return &Exception{
		Status: http.StatusUnsupportedMediaType,
		Body:   detail(`Unsupported media type "` + contentType + `" in request.`),
	}
}

func lastValue(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}
