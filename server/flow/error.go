package flow

import "latchkey/clients"

// Error is an error on the way of a client's request, for the page that explains it: it looks as the pages before it, and is in their language.
type Error struct {
	Err    error
	Client *clients.Client
	// Locales is the ui_locales parameter of the request.
	Locales string
}

// OnTheWay returns err as an *Error; nil if it is nil.
func OnTheWay(c *clients.Client, locales string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Client: c, Locales: locales}
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
