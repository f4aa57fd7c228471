package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/route"
)

// RenderError writes an error as RFC 6749 §5.2 has it. Of an error that is not meant for clients it shows nothing.
func RenderError(w http.ResponseWriter, r *http.Request, err error) {
	e := protocolError(err)
	if e.Status == http.StatusUnauthorized {
		// RFC 6749 §5.2 asks for it when the client used the header, RFC 9110 §11.6.1 with every 401.
		// oauth4webapi, below openid-client and Auth.js, shows the challenge and not the body, so the error is in both.
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Basic realm="latchkey", error="%s", error_description="%s"`, e.Code, protocol.Describable(e.Description)))
	}
	renderJSON(w, r, e)
}

// noteReason puts why a request was refused into its log event.
func noteReason(r *http.Request, e *protocol.Error) {
	if e.Reason != reasons.None {
		request.From(r.Context()).Event.Add(slog.String("reason", string(e.Reason)))
	}
}

// renderJSON writes an error as a JSON object.
func renderJSON(w http.ResponseWriter, r *http.Request, e *protocol.Error) {
	noteReason(r, e)
	h := w.Header()
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfterSeconds()))
	}
	body, err := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.Code, protocol.Describable(e.Description)})
	if err != nil { // two strings always marshal
		panic(fmt.Sprintf("write error: %v", err))
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(e.Status)
	w.Write(body)
}

// protocolError returns err as a protocol error. RFC 6749 has no error code for most refusals of the route's class;
// invalid_request covers requests that are "otherwise malformed".
func protocolError(err error) *protocol.Error {
	var refused *route.Error
	if !errors.As(err, &refused) {
		return protocol.AsError(err)
	}
	e := &protocol.Error{Code: "invalid_request", Description: refused.Message, Status: refused.Status, Reason: reasons.BadRequest}
	if refused.Status >= http.StatusInternalServerError {
		e.Code, e.Reason = "server_error", reasons.Internal
	}
	return e
}

// writeJSON answers 200.
func writeJSON(w http.ResponseWriter, v any) error { return writeJSONStatus(w, http.StatusOK, v) }

func writeJSONStatus(w http.ResponseWriter, status int, v any) error {
	marshal := func() ([]byte, error) { return json.Marshal(v) }
	if own, ok := v.(json.Marshaler); ok {
		marshal = own.MarshalJSON // json.Marshal would read what it writes once more
	}
	body, err := marshal()
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}
