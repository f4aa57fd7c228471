package route

import (
	"errors"
	"net/http"
	"net/url"

	"latchkey/server/internal/form"
)

// Form returns the fields of a form that a page has posted, each at most once. Fields in the query are ignored. A body that is
// no such form is an *Error of status 400 that doesn't contain what was sent: it may be a password.
func Form(r *http.Request) (url.Values, error) {
	body, err := form.Body(r)
	if err != nil {
		return nil, badForm(err)
	}
	fields, err := form.Parse(body)
	if err != nil {
		return nil, badForm(err)
	}
	for _, values := range fields {
		if len(values) > 1 {
			return nil, badForm(form.ErrMalformed)
		}
	}
	return fields, nil
}

// FormHandler answers a request with the fields of its form.
type FormHandler func(w http.ResponseWriter, r *http.Request, form url.Values) error

// Forms returns the handler of a page with a form: post gets what was posted, and get the query of all other requests.
func Forms(get, post FormHandler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodPost {
			return get(w, r, r.URL.Query())
		}
		form, err := Form(r)
		if err != nil {
			return err
		}
		return post(w, r, form)
	}
}

// ErrForm is the error of a form that no page sends.
var ErrForm = &Error{Status: http.StatusBadRequest, Message: "The form is malformed."}

// badForm returns the error for the page. Errors of reading the body are returned as they are.
func badForm(err error) error {
	var bad form.Error
	if !errors.As(err, &bad) {
		return err
	}
	switch bad {
	case form.ErrContentType:
		return &Error{Status: http.StatusBadRequest, Message: string(bad)}
	case form.ErrTooMany:
		return &Error{Status: http.StatusBadRequest, Message: "The form has too many fields."}
	}
	return ErrForm
}
