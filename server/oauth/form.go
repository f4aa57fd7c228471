package oauth

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"latchkey/server/token"
	"latchkey/storage"
)

// maxParameters is far more than any request has; a form of 64 KiB could hold ten thousand.
const maxParameters = 100

// form are the parameters of a request. Those without a value are not there: RFC 6749 §3.2.
type form map[string][]string

func (f form) get(name string) string {
	if v := f[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (f form) secret(name string) storage.Secret { return storage.Secret(f.get(name)) }

func (f form) has(name string) bool { return len(f[name]) > 0 }

// optional tells an absent parameter from a present one.
func (f form) optional(name string) *string {
	if !f.has(name) {
		return nil
	}
	v := f.get(name)
	return &v
}

// isForm tells whether the body is a form. A charset parameter is let through whatever it says: libraries send ISO-8859-1 with
// what is plain ASCII in fact, and anything else fails as UTF-8 later.
func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return (err == nil || err == mime.ErrInvalidMediaParameter) && kind == "application/x-www-form-urlencoded"
}

// readBody reads a body that must be a form.
func readBody(r *http.Request) (string, error) {
	if !isForm(r) {
		return "", invalidRequest("The body must be application/x-www-form-urlencoded.")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", fmt.Errorf("read form: %w", err)
	}
	return string(body), nil
}

// readForm reads the parameters from the body. Those in the query do not count: RFC 6749 §2.3.1 forbids credentials
// there, and queries end up in logs.
func readForm(r *http.Request) (form, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return parseForm(body)
}

// repeatable are the parameters that a request may hold more than once: RFC 8707 §2.
const repeatable = "resource"

// parseForm reads application/x-www-form-urlencoded as the RFCs restrict it. Its errors never hold what was sent:
// it may be a password.
func parseForm(body string) (form, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, invalidRequest("There are too many parameters.")
	}
	f := form{}
	seen := make(map[string]bool)
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, ok1 := unescape(rawName)
		value, ok2 := unescape(rawValue)
		if !ok1 || !ok2 {
			return nil, invalidRequest("The parameters must be UTF-8, without NUL, each octet that is not allowed written as % and two hex digits.")
		}
		// RFC 6749 §3.2: parameters must not be included more than once. A server behind us may take the other one.
		if seen[name] && name != repeatable {
			return nil, invalidRequest("A parameter is repeated.")
		}
		seen[name] = true
		if value != "" {
			f[name] = append(f[name], value)
		}
	}
	return f, nil
}

// unescape decodes one name or value. What comes out is text that every database takes.
func unescape(s string) (string, bool) {
	s, err := url.QueryUnescape(s)
	return s, err == nil && isText(s)
}

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func invalidRequest(description string) *token.Error {
	return &token.Error{
		Code: "invalid_request", Description: description, Status: http.StatusBadRequest, Reason: token.ReasonBadRequest,
	}
}
