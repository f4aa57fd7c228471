package clients

import "fmt"

// MetadataError is what is wrong with metadata or a policy, as RFC 7591 §3.2.2 answers it.
type MetadataError struct {
	// Code is invalid_redirect_uri or invalid_client_metadata.
	Code string
	// Field is the name of the field.
	Field       string
	Description string
}

func (e *MetadataError) Error() string {
	if e.Field == "" {
		return e.Description
	}
	return e.Field + ": " + e.Description
}

// Invalid returns the error of a field.
func Invalid(field, format string, args ...any) *MetadataError {
	code := "invalid_client_metadata"
	if field == "redirect_uris" {
		code = "invalid_redirect_uri"
	}
	return &MetadataError{Code: code, Field: field, Description: fmt.Sprintf(format, args...)}
}

// Faults returns every fault in an error of Validate.
func Faults(err error) []*MetadataError {
	switch e := err.(type) {
	case nil:
		return nil
	case *MetadataError:
		return []*MetadataError{e}
	case interface{ Unwrap() []error }:
		var all []*MetadataError
		for _, err := range e.Unwrap() {
			all = append(all, Faults(err)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Faults(e.Unwrap())
	}
	return nil
}
