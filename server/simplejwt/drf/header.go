package drf

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"latchkey/server/internal/pyjson"
)

// maxHeader is how long a header may be that is parsed: Django's MAX_HEADER_LENGTH.
const maxHeader = 10_000

var errHeaderTooLong = errors.New("a Content-Type or Accept header exceeds 10,000 bytes")

// mediaType is a header like Content-Type: its main value in lower case, and its parameters.
type mediaType struct {
	main, sub string
	params    []param
}

type param struct{ name, value string }

// parseMediaType is Django's parse_header_parameters, split as Django REST framework splits it. It accepts everything,
// in one pass. mime.ParseMediaType would refuse much of what Django reads.
func parseMediaType(header string) mediaType {
	var m mediaType
	start, quoted := 0, false
	for i := 0; i <= len(header); i++ {
		switch {
		case i < len(header) && (header[i] != ';' || quoted):
			if header[i] == '"' && (i == start || header[i-1] != '\\') {
				quoted = !quoted
			}
			continue
		case start == 0:
			m.main, m.sub, _ = strings.Cut(strings.ToLower(pyjson.Strip(header[:i])), "/")
		default:
			m.addParam(pyjson.Strip(header[start:i]))
		}
		start, quoted = i+1, false
	}
	return m
}

func (m *mediaType) addParam(part string) {
	name, value, ok := strings.Cut(part, "=")
	if !ok {
		return
	}
	p := param{strings.ToLower(pyjson.Strip(name)), pyjson.Strip(value)}
	name, extended := strings.CutSuffix(p.name, "*")
	p.name = name
	if n := len(p.value); n >= 2 && p.value[0] == '"' && p.value[n-1] == '"' {
		p.value = strings.ReplaceAll(strings.ReplaceAll(p.value[1:n-1], `\\`, `\`), `\"`, `"`)
	}
	if extended && strings.Count(part, "'") == 2 { // RFC 2231 §4: charset'language'value
		if pieces := strings.Split(p.value, "'"); len(pieces) == 3 {
			if text, err := url.PathUnescape(pieces[2]); err == nil {
				p.value = text
			}
		}
	}
	m.params = append(m.params, p)
}

// param returns the last value of a parameter.
func (m mediaType) param(name string) (string, bool) {
	for i := len(m.params) - 1; i >= 0; i-- {
		if m.params[i].name == name {
			return m.params[i].value, true
		}
	}
	return "", false
}

// matches reports whether m covers the plain type main/sub, or is covered by it.
func (m mediaType) matches(main, sub string) bool {
	return (m.sub == "*" || m.sub == sub) && (m.main == "*" || m.main == main)
}

// precedence returns how specific the type is, from 0 to 3.
func (m mediaType) precedence() int {
	switch {
	case m.main == "*":
		return 0
	case m.sub == "*":
		return 1
	}
	for _, p := range m.params {
		if p.name != "q" {
			return 3
		}
	}
	return 2
}

// latin1 returns the text of header bytes, which WSGI reads as ISO 8859-1.
func latin1(header string) string { return latin1Codec.replace([]byte(header)) }

// content is what the Content-Type header says.
type content struct {
	header string
	media  mediaType
	codec  codec
}

func contentOf(r *http.Request) (content, error) {
	values := r.Header["Content-Type"]
	if len(values) == 0 {
		return content{codec: utf8Codec}, nil
	}
	header := values[len(values)-1]
	if len(header) > maxHeader {
		return content{}, BadRequest(errHeaderTooLong)
	}
	c := content{header: latin1(header)}
	c.media = parseMediaType(c.header)
	charset, _ := c.media.param("charset")
	c.codec = charsetCodec(charset)
	return c, nil
}
