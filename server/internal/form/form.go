// Package form reads application/x-www-form-urlencoded text strictly: UTF-8 without NUL, which every database accepts, and a
// bounded number of fields. What to do about repeated and empty fields is up to the caller.
package form

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxFields is far more than any form has; a body of 64 KiB could hold ten thousand.
const maxFields = 100

// Error says why something is not a form. It never contains what was sent, which may be a password.
type Error string

const (
	ErrContentType Error = "The body must be application/x-www-form-urlencoded."
	ErrTooMany     Error = "There are too many parameters."
	ErrMalformed   Error = "The parameters must be UTF-8, without NUL, each octet that is not allowed written as % and two hex digits."
)

func (e Error) Error() string { return string(e) }

// Is reports whether the body is declared as a form. Its charset parameter is ignored: libraries send ISO-8859-1 with what is
// plain ASCII in fact, and anything else fails as UTF-8 later.
func Is(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return (err == nil || err == mime.ErrInvalidMediaParameter) && kind == "application/x-www-form-urlencoded"
}

// Body returns the body of a request, not parsed yet. The error is ErrContentType unless reading fails.
func Body(r *http.Request) (string, error) {
	if !Is(r) {
		return "", ErrContentType
	}
	// Room for what the request announces, as long as that is an ordinary form, so that the buffer need not grow.
	room := min(max(r.ContentLength, 0), 8<<10) + bytes.MinRead
	body := bytes.NewBuffer(make([]byte, 0, room))
	if _, err := body.ReadFrom(r.Body); err != nil {
		return "", fmt.Errorf("read form: %w", err)
	}
	return body.String(), nil
}

// Parse returns all values of all fields of a body or a query. Unlike [url.ParseQuery] it treats a semicolon as an ordinary
// character, as the URL standard does. The error is ErrTooMany or ErrMalformed.
func Parse(text string) (url.Values, error) {
	if strings.Count(text, "&") >= maxFields {
		return nil, ErrTooMany
	}
	fields := url.Values{}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, nameOK := Unescape(rawName)
		value, valueOK := Unescape(rawValue)
		if !nameOK || !valueOK {
			return nil, ErrMalformed
		}
		fields[name] = append(fields[name], value)
	}
	return fields, nil
}

// Unescape decodes one name or value and reports whether it is valid.
func Unescape(s string) (string, bool) {
	s, err := url.QueryUnescape(s)
	return s, err == nil && IsText(s)
}

// IsText reports whether every database accepts s as text.
func IsText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
