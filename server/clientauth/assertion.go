package clientauth

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/server/internal/jwt"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// AssertionType is the client_assertion_type of private_key_jwt (RFC 7523 §2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Bounds of a client assertion.
const (
	maxAssertion       = 8 << 10 // bytes
	maxAssertionTTL    = 5 * time.Minute
	maxAssertionExp    = time.Hour // how far ahead exp may be; from iat on only maxAssertionTTL counts
	maxAssertionJTI    = 255       // bytes
	maxAudiences       = 10
	assertionLeeway    = 30 * time.Second
	assertionKeepExtra = time.Minute // how far the clocks of replicas may be apart
)

// AssertionAlgs returns the algorithms that client assertions may be signed with.
func AssertionAlgs() []string { return jwt.IncomingAlgs() }

// assertionClient returns the client_id that an assertion claims. It is not verified: it says where to look for the keys. The
// error is a *protocol.Error.
func assertionClient(raw storage.Secret) (id string, err error) {
	a, err := parseAssertion(raw.Reveal())
	switch {
	case err != nil:
		return "", err
	case a.subject == "" || a.issuer != a.subject:
		return "", badAssertion("iss and sub must be the client_id.")
	}
	return a.subject, nil
}

func badAssertion(format string, args ...any) *protocol.Error {
	return protocol.InvalidClient(reasons.Assertion, "The client_assertion is refused: "+format, args...)
}

// assertion is the content of a client assertion.
type assertion struct {
	*jwt.Incoming
	issuer, subject, jti   string
	expires, begins, since time.Time // begins and since (iat) are zero when absent
}

// parseAssertion reads an assertion without verifying it. It refuses every form that this server does not accept.
func parseAssertion(raw string) (*assertion, error) {
	if len(raw) > maxAssertion {
		return nil, badAssertion("it is longer than %d bytes.", maxAssertion)
	}
	a := &assertion{Incoming: jwt.ReadIncoming(raw)}
	if a.Incoming == nil {
		return nil, badAssertion("it is not a JWT in the compact form, with a header and a payload that are JSON objects without repeated members.")
	}
	if err := a.checkHeader(); err != nil {
		return nil, err
	}
	if !a.Claims.Strings(map[string]*string{"iss": &a.issuer, "sub": &a.subject, "jti": &a.jti}) {
		return nil, badAssertion("iss, sub and jti must be strings.")
	}
	if name := a.Claims.Dates(map[string]*time.Time{"exp": &a.expires, "nbf": &a.begins, "iat": &a.since}); name != "" {
		return nil, badAssertion("%s must be a number of seconds.", name)
	}
	return a, nil
}

// checkHeader accepts algorithms of a list only, and the key is taken from nowhere but the client's registration (RFC 8725 §3.1, §3.10).
func (a *assertion) checkHeader() error {
	for _, name := range [...]string{"crit", "b64", "jwk", "jku", "x5u", "x5c"} {
		if _, ok := a.Header[name]; ok {
			return badAssertion("the header %s is not supported.", name)
		}
	}
	switch {
	case slices.Contains(AssertionAlgs(), a.Alg):
	case strings.HasPrefix(a.Alg, "HS"):
		return protocol.InvalidClient(reasons.AssertionMAC,
			"The method client_secret_jwt is not supported: sign with a key of your own (private_key_jwt), or send the secret (client_secret_basic).")
	default:
		return badAssertion("alg must be one of %s.", strings.Join(AssertionAlgs(), ", "))
	}
	// RFC 8725 §3.11: a JWT of another kind is none of these. Most clients say JWT, or nothing.
	if typ := cmp.Or(a.Typ(), "JWT"); !strings.EqualFold(typ, "JWT") && !strings.EqualFold(typ, "client-authentication+jwt") {
		return badAssertion("typ must be JWT or client-authentication+jwt.")
	}
	return nil
}

// checkRequired checks that an assertion is of the client, and has what is required (RFC 7523 §3).
func (a *assertion) checkRequired(clientID string) error {
	switch {
	case a.issuer != clientID || a.subject != clientID:
		return badAssertion("iss and sub must be the client_id.")
	case a.jti == "" || len(a.jti) > maxAssertionJTI:
		return badAssertion("jti is required and must have at most %d bytes.", maxAssertionJTI)
	case a.expires.IsZero():
		return badAssertion("exp is required.")
	}
	return nil
}

// checkTimes shortens the life of an assertion that is made for longer than this server likes: libraries say an hour.
func (a *assertion) checkTimes(now time.Time) error {
	switch {
	case !a.expires.After(now):
		return badAssertion("it has expired; %s.", clock(now))
	case a.expires.Sub(now) > maxAssertionExp:
		return badAssertion("exp must be at most %d seconds ahead; %s.", int(maxAssertionExp.Seconds()), clock(now))
	case a.begins.After(now.Add(assertionLeeway)) || a.since.After(now.Add(assertionLeeway)):
		return badAssertion("iat or nbf is in the future; %s.", clock(now))
	case !a.since.IsZero() && a.since.After(a.expires):
		return badAssertion("iat is after exp.")
	}
	if end := a.since.Add(maxAssertionTTL); !a.since.IsZero() && end.Before(a.expires) {
		a.expires = end.Add(assertionLeeway)
	}
	if !a.expires.After(now) {
		return badAssertion("it is older than %d seconds, by its iat; %s.", int(maxAssertionTTL.Seconds()), clock(now))
	}
	return nil
}

// outlives reports whether its jti has to be remembered for longer than that. An assertion without iat is good until its exp: libraries that
// leave iat out may set an hour. From unverified clients that would be rows that stay for an hour (docs/security.md).
func (a *assertion) outlives(limit time.Duration, now time.Time) bool {
	return a.since.IsZero() && a.expires.Sub(now) > limit
}

// clock names the server's time, for a client whose own clock is wrong.
func clock(now time.Time) string {
	return "the server's clock says " + strconv.FormatInt(now.Unix(), 10) + ", " + now.UTC().Format(time.RFC3339)
}
