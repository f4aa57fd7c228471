package route

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxFields is far more than any form of ours has.
const maxFields = 100

// Form reads the fields of a form that a page has posted: text that every database takes, each field once. Those in the
// query don't count. Of what is no such form it says 400, and never what was sent: it may be a password.
func Form(r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, &Error{Status: http.StatusBadRequest, Message: "The body must be application/x-www-form-urlencoded."}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read form: %w", err)
	}
	if strings.Count(string(body), "&") >= maxFields {
		return nil, &Error{Status: http.StatusBadRequest, Message: "The form has too many fields."}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &Error{Status: http.StatusBadRequest, Message: "The form is malformed."}
	}
	for name, values := range form {
		if len(values) > 1 || !isText(name) || !isText(values[0]) {
			return nil, &Error{Status: http.StatusBadRequest, Message: "The form is malformed."}
		}
	}
	return form, nil
}

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }
