package drf

import (
	"net/url"
	"strings"

	"latchkey/server/internal/pyjson"
)

// mediaType is a header like Content-Type: its main value in lower case, and its parameters.
type mediaType struct {
	main, sub string
	params    []param
}

type param struct{ name, value string }

// parseMediaType is Django's parse_header_parameters, split as Django REST framework splits it. It refuses nothing.
func parseMediaType(header string) mediaType {
	rest := ";" + header
	var parts []string
	for strings.HasPrefix(rest, ";") {
		rest = rest[1:]
		end := parameterEnd(rest)
		parts = append(parts, pyjson.Strip(rest[:end]))
		rest = rest[end:]
	}
	m := mediaType{}
	m.main, m.sub, _ = strings.Cut(strings.ToLower(parts[0]), "/")
	for _, part := range parts[1:] {
		if name, value, ok := strings.Cut(part, "="); ok {
			m.params = append(m.params, newParam(part, name, value))
		}
	}
	return m
}

// parameterEnd finds the semicolon that ends a parameter: one with an even number of quotes before it.
func parameterEnd(s string) int {
	end := strings.IndexByte(s, ';')
	for end > 0 && (strings.Count(s[:end], `"`)-strings.Count(s[:end], `\"`))%2 != 0 {
		next := strings.IndexByte(s[end+1:], ';')
		if next < 0 {
			return len(s)
		}
		end += 1 + next
	}
	if end < 0 {
		return len(s)
	}
	return end
}

func newParam(part, name, value string) param {
	p := param{strings.ToLower(pyjson.Strip(name)), pyjson.Strip(value)}
	extended := strings.HasSuffix(p.name, "*")
	p.name = strings.TrimSuffix(p.name, "*")
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
	return p
}

// param gives the last value of a parameter.
func (m mediaType) param(name string) (string, bool) {
	for i := len(m.params) - 1; i >= 0; i-- {
		if m.params[i].name == name {
			return m.params[i].value, true
		}
	}
	return "", false
}

// matches tells whether m covers the plain type main/sub, or is covered by it.
func (m mediaType) matches(main, sub string) bool {
	return (m.sub == "*" || m.sub == sub) && (m.main == "*" || m.main == main)
}

// precedence is how specific the type is, from 0 to 3.
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

// latin1 is the text of header bytes: WSGI takes them as ISO 8859-1.
func latin1(header string) string {
	for i := 0; i < len(header); i++ {
		if header[i] >= 0x80 {
			runes := make([]rune, len(header))
			for i := range len(header) {
				runes[i] = rune(header[i])
			}
			return string(runes)
		}
	}
	return header
}
