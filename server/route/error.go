package route

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
)

// Error is an error of the class itself, which a Renderer writes in the format of its protocol.
type Error struct {
	// Status is the HTTP status: 400, 403, 404, 405, 408, 413 or 500.
	Status int
	// Message is for the client's developer. It contains nothing that the client sent.
	Message string

	cause error
}

func (e *Error) Error() string {
	s := http.StatusText(e.Status)
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.cause }

func notFound(http.ResponseWriter, *http.Request) error {
	return &Error{Status: http.StatusNotFound, Message: "There is nothing at this address."}
}

// renderNotFound writes an OAuth error, since the protocol of an unknown path is unknown and most clients use OAuth.
func renderNotFound(w http.ResponseWriter, _ *http.Request, err error) {
	e := &Error{Status: http.StatusInternalServerError, Message: "The server failed."}
	errors.As(err, &e)
	code := "server_error"
	if e.Status == http.StatusNotFound {
		code = "not_found"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": e.Message})
}

// orPage returns a renderer that writes the page for browsers, if there is one.
func orPage(render, page Renderer) Renderer {
	if page == nil {
		return render
	}
	return func(w http.ResponseWriter, r *http.Request, err error) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead || !strings.Contains(r.Header.Get("Accept"), "text/html") {
			render(w, r, err)
			return
		}
		setPageHeaders(w.Header(), r)
		page(w, r, err)
	}
}

// body is a request body with a cap. It remembers why reading failed.
type body struct {
	io.ReadCloser
	err error
}

// capBody replaces the request's body by one that can be read up to max bytes.
func capBody(w http.ResponseWriter, r *http.Request, max int64) *body {
	b := &body{ReadCloser: http.MaxBytesReader(w, r.Body, max)}
	if r.ContentLength > max {
		// Reading would fail at the cap anyway. Failing now saves the client from sending it.
		b.err = &http.MaxBytesError{Limit: max}
	}
	r.Body = b
	return b
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// explain turns the handler's error into an *Error with a status if it comes from reading the body.
func (b *body) explain(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &Error{Status: http.StatusRequestEntityTooLarge, Message: "The request body is too large.", cause: err}
	case b.err == nil || !errors.Is(err, b.err):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Error{Status: http.StatusRequestTimeout, Message: "The request body did not arrive in time.", cause: err}
	default: // truncated, or malformed chunks
		return &Error{Status: http.StatusBadRequest, Message: "The request body is broken.", cause: err}
	}
}

// Renderer writes an error in the format of its protocol. It gets the error that the handler returned, or an [*Error] for what the
// class refuses (404, 405, 413, an unreadable body) or catches (a panic). It must not reveal the text of an unknown error.
type Renderer func(w http.ResponseWriter, r *http.Request, err error)
