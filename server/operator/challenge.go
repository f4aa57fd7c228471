package operator

import "errors"

// challengedError is a refusal whose challenge says more than its code: the scope (RFC 6750 §3), or the login that is needed (RFC 9470 §3).
type challengedError struct {
	error
	parameters string
}

// Unwrap returns the *protocol.Error.
func (e *challengedError) Unwrap() error { return e.error }

// Parameters returns what the challenge of an error says beside its code.
func Parameters(err error) string {
	var e *challengedError
	if errors.As(err, &e) {
		return e.parameters
	}
	return ""
}
