// Package errorsx holds the error interfaces that fosite's errors satisfy.
package errorsx

// WithStack returns err unchanged. The original captures a stack trace, which for
// fosite's ordinary refusals was a tenth of the CPU of a token request.
func WithStack(err error) error { return err }

// Cause follows Cause methods to the innermost error.
func Cause(err error) error {
	for err != nil {
		c, ok := err.(interface{ Cause() error })
		if !ok {
			return err
		}
		next := c.Cause()
		if next == nil {
			return err
		}
		err = next
	}
	return nil
}

// StatusCodeCarrier is an error that knows its HTTP status code.
type StatusCodeCarrier interface{ StatusCode() int }

// StatusCarrier is an error that knows its HTTP status text.
type StatusCarrier interface{ Status() string }

// RequestIDCarrier is an error that knows which request caused it.
type RequestIDCarrier interface{ RequestID() string }

// ReasonCarrier is an error that gives a reason.
type ReasonCarrier interface{ Reason() string }

// DebugCarrier is an error that carries text for developers.
type DebugCarrier interface{ Debug() string }
