package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/bearer"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// registerFull is how long to wait when the limit of clients without users is reached: they are removed day by day.
const registerFull = time.Hour

// registrationError returns the errors of the registry as RFC 7591 §3.2.2 and RFC 7592 §2 define them.
func registrationError(err error) error {
	if faults := clients.Faults(err); len(faults) > 0 {
		sentences := make([]string, len(faults))
		for i, fault := range faults {
			sentences[i] = fault.Error()
		}
		return protocol.Refuse(faults[0].Code, reasons.BadRequest, "%s", strings.Join(sentences, "; "))
	}
	switch {
	case errors.Is(err, registry.ErrInitialToken):
		return invalidToken("The initial access token is unknown, expired or used up. Ask the operator of this server for another.")
	case errors.Is(err, registry.ErrRegistrationToken):
		return invalidToken("This is not the current registration access token of this client. An update replaces it: use the one from the last response.")
	case errors.Is(err, storage.ErrLimit):
		return protocol.Throttled(registerFull, "Too many registered clients are waiting for their first user. Try again later; the operator can set --registration-unused-limit.")
	case errors.Is(err, storage.ErrConflict):
		return protocol.Overloaded("The client is being changed by another request. Try again.")
	}
	return err
}

// invalidToken returns the error of RFC 6750 §3.1.
func invalidToken(description string) *protocol.Error {
	return protocol.InvalidToken(reasons.Client, description)
}

// errNoInitialToken reports that an initial access token is required and none was sent.
var errNoInitialToken = fmt.Errorf("registration: %w", bearer.ErrNoToken)

// RenderRegistrationError writes an error in the form of RFC 7591 §3.2.2, or of RFC 6750 §3 if a token was refused.
func RenderRegistrationError(w http.ResponseWriter, r *http.Request, err error) {
	e := protocolError(err)
	switch {
	// RFC 6750 §3.1: no error code in the header if no token was sent. The body says what to do.
	case errors.Is(err, errNoInitialToken):
		e = invalidToken("An initial access token is needed: ask the operator of this server for one, and send it as Authorization: Bearer TOKEN.")
	case errors.Is(err, bearer.ErrNoToken):
		e = invalidToken("The registration access token of the client is needed: send it as Authorization: Bearer TOKEN.")
	}
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		if !errors.Is(err, bearer.ErrNoToken) {
			err = e
		}
		bearer.ChallengeBearer(w.Header(), err, "")
	}
	renderJSON(w, r, e)
}
