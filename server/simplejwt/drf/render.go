package drf

import (
	"fmt"
	"net/http"
	"strconv"
	"unicode/utf8"

	"latchkey/server/internal/pyjson"
)

// appendJSON writes v as the framework's JSONRenderer does: without spaces, or indented; text as it is but for U+2028
// and U+2029, which scripts stumble over.
func appendJSON(dst []byte, v pyjson.Value, indent, level int) []byte {
	switch v := v.(type) {
	case string:
		return appendText(dst, v)
	case pyjson.List:
		return appendItems(dst, '[', ']', len(v), indent, level, func(dst []byte, i int) []byte {
			return appendJSON(dst, v[i], indent, level+1)
		})
	case *pyjson.Dict:
		if v == nil {
			return dst
		}
		return appendItems(dst, '{', '}', len(v.Members()), indent, level, func(dst []byte, i int) []byte {
			dst = append(appendText(dst, v.Members()[i].Key), ':')
			if indent > 0 {
				dst = append(dst, ' ')
			}
			return appendJSON(dst, v.Members()[i].Value, indent, level+1)
		})
	default:
		return pyjson.Append(dst, v)
	}
}

func appendItems(dst []byte, opening, closing byte, n, indent, level int, item func([]byte, int) []byte) []byte {
	dst = append(dst, opening)
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item(appendNewline(dst, indent, level+1), i)
	}
	if n > 0 {
		dst = appendNewline(dst, indent, level)
	}
	return append(dst, closing)
}

func appendNewline(dst []byte, indent, level int) []byte {
	if indent == 0 {
		return dst
	}
	dst = append(dst, '\n')
	for range indent * level {
		dst = append(dst, ' ')
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && s[i] >= ' ' && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
			i++
		}
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			break
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1: // never in an answer of ours; a lone surrogate crashes the original
			dst = append(dst, `\ufffd`...)
		case r < ' ', r == '"', r == '\\', r == '\u2028', r == '\u2029':
			escaped := pyjson.AppendString(nil, s[i:i+size])
			dst = append(dst, escaped[1:len(escaped)-1]...)
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return append(dst, '"')
}

// badRequestPage is what Django's bad_request handler sends when there is no template for it.
const badRequestPage = `
<!doctype html>
<html lang="en">
<head>
  <title>Bad Request (400)</title>
</head>
<body>
  <h1>Bad Request (400)</h1><p></p>
</body>
</html>
`

// NotFoundPage is what Django answers at an address without a view.
const NotFoundPage = `
<!doctype html>
<html lang="en">
<head>
  <title>Not Found</title>
</head>
<body>
  <h1>Not Found</h1><p>The requested resource was not found on this server.</p>
</body>
</html>
`

// WritePage sends a page of Django's own.
func WritePage(w http.ResponseWriter, status int, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	fmt.Fprint(w, page)
}

// write sends a body as JSON, with the headers of every answer of the framework.
func write(w http.ResponseWriter, status int, body *pyjson.Dict, indent int) {
	b := appendJSON(make([]byte, 0, 1024), body, indent, 0)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Allow", "POST, OPTIONS")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}

// WriteException sends a refusal. realm is that of the WWW-Authenticate header of a 401.
func WriteException(w http.ResponseWriter, r *http.Request, e *Exception, realm string) {
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+realm+`"`)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.seconds()))
	}
	if e.Body == nil {
		WritePage(w, e.Status, badRequestPage)
		return
	}
	// When negotiation itself has failed, the framework answers with its first renderer.
	indent, err := negotiate(r)
	if err != nil {
		indent = 0
	}
	write(w, e.Status, e.Body, indent)
}
