package oauth

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"latchkey/server/clientauth"
	"latchkey/server/protocol"
)

// maxParameters is far more than any request has; a form of 64 KiB could hold ten thousand.
const maxParameters = 100

// optional distinguishes an absent parameter from a present one.
func optional(f url.Values, name string) *string {
	if !f.Has(name) {
		return nil
	}
	v := f.Get(name)
	return &v
}

// readRequest reads the form of a request that a client authenticates, and its credentials.
func readRequest(r *http.Request) (url.Values, clientauth.Credentials, error) {
	f, err := readForm(r)
	if err != nil {
		return nil, clientauth.Credentials{}, err
	}
	cred, err := clientauth.FromRequest(r, f)
	return f, cred, err
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
func readForm(r *http.Request) (url.Values, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return parseForm(body)
}

// repeatable are the parameters that a request may hold more than once: RFC 8707 §2.
const repeatable = "resource"

// parseForm reads application/x-www-form-urlencoded as the RFCs restrict it. Parameters without a value are left out: RFC 6749 §3.2. Its
// errors never hold what was sent: it may be a password.
func parseForm(body string) (url.Values, error) {
	if strings.Count(body, "&") >= maxParameters {
		return nil, invalidRequest("There are too many parameters.")
	}
	f := url.Values{}
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

func invalidRequest(description string) *protocol.Error {
	return protocol.InvalidRequest("%s", description)
}
