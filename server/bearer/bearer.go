package bearer

import (
	"errors"
	"net/http"
	"strings"

	"latchkey/server/dpop"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// The schemes of tokens (RFC 6750 §2.1, RFC 9449 §7.1), in lower case.
const (
	SchemeBearer = "bearer"
	SchemeDPoP   = "dpop"
)

// ErrNoToken: a request has no access token. RFC 6750 §3.1 wants no error code in the challenge then.
var ErrNoToken = errors.New("no access token")

// ErrManyTokens returns the refusal of a request with more than one access token: RFC 6750 §2 lets a client send it in one way only.
func ErrManyTokens() error {
	return protocol.InvalidRequest("The access token must be sent once, in one way.")
}

// FromHeader returns the token of the Authorization header, and its scheme. The error is ErrNoToken or a *protocol.Error.
func FromHeader(h http.Header) (scheme string, text storage.Secret, err error) {
	headers := h.Values("Authorization")
	if len(headers) > 1 {
		return "", "", ErrManyTokens()
	}
	if len(headers) == 0 {
		return "", "", ErrNoToken
	}
	scheme, rest, _ := strings.Cut(headers[0], " ")
	scheme, rest = strings.ToLower(scheme), strings.TrimSpace(rest)
	if scheme != SchemeBearer && scheme != SchemeDPoP || rest == "" {
		return "", "", ErrNoToken
	}
	return scheme, storage.Secret(rest), nil
}

// InsufficientScope returns the refusal of a token that lacks a scope, or of a person who may not (RFC 6750 §3.1).
func InsufficientScope(description string) *protocol.Error {
	e := protocol.Refuse("insufficient_scope", reasons.BadRequest, "%s", description)
	e.Status = http.StatusForbidden
	return e
}

// Challenge sets the challenges of an answer to a request whose access token is missing (ErrNoToken) or refused, as RFC 6750 §3 and RFC 9449
// §7.1 have it. A request with one scheme learns why it was refused in that scheme's challenge; the other one is offered. more are
// parameters of the challenge, or empty.
func Challenge(answer, request http.Header, err error, more string) {
	if scheme, _, none := FromHeader(request); none == nil && scheme == SchemeDPoP && !errors.Is(err, ErrNoToken) {
		answer.Set("WWW-Authenticate", dpopChallenge(reason(err)+more+", "))
		return
	}
	ChallengeBearer(answer, err, more)
	answer.Add("WWW-Authenticate", dpopChallenge(""))
}

// ChallengeBearer is Challenge for tokens that are never bound to a key.
func ChallengeBearer(answer http.Header, err error, more string) {
	challenge := `Bearer realm="latchkey"`
	if !errors.Is(err, ErrNoToken) {
		challenge += ", " + reason(err) + more
	}
	answer.Set("WWW-Authenticate", challenge)
}

func reason(err error) string {
	e := protocol.AsError(err)
	return `error="` + e.Code + `", error_description="` + protocol.Describable(e.Description) + `"`
}

// dpopChallenge is the challenge of the scheme DPoP (RFC 9449 §7.1); more are its parameters besides algs.
func dpopChallenge(more string) string {
	return `DPoP ` + more + `algs="` + strings.Join(dpop.Algs(), " ") + `"`
}
