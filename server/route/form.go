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

// badForm returns the error for the page. Errors of reading the body are returned as they are.
func badForm(err error) error {
	var bad form.Error
	if !errors.As(err, &bad) {
		return err
	}
	message := "The form is malformed."
	switch bad {
	case form.ErrContentType:
		message = string(bad)
	case form.ErrTooMany:
		message = "The form has too many fields."
	}
	return &Error{Status: http.StatusBadRequest, Message: message}
}
