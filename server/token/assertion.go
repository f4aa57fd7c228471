package token

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/clients"
	"latchkey/storage"
)

// AssertionType is the client_assertion_type of private_key_jwt (RFC 7523 §2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// The reasons why a client assertion is refused.
const (
	ReasonAssertion       Reason = "bad_client_assertion"          // not what RFC 7523 §3 asks for
	ReasonAssertionKey    Reason = "client_assertion_key"          // the client's keys can't be had, or none fits
	ReasonAssertionMAC    Reason = "client_secret_jwt_unsupported" // signed with a shared secret
	ReasonAssertionReplay Reason = "client_assertion_replayed"
)

// Bounds of a client assertion.
const (
	maxAssertion       = 8 << 10 // bytes
	maxAssertionTTL    = 5 * time.Minute
	maxAssertionJTI    = 255 // bytes
	maxAssertionRSA    = 8192
	minAssertionRSA    = 2048 // RFC 7518 §3.3
	assertionLeeway    = 30 * time.Second
	assertionKeepExtra = time.Minute // how far the clocks of replicas may be apart
)

// ClientKeys finds the keys that clients sign with.
type ClientKeys interface {
	// Keys gives the public keys of a client (its jwks, or what is at its jwks_uri) that have the kid; all of them when the
	// kid is empty. None is no error; an error means that the keys can't be had now.
	Keys(ctx context.Context, c *clients.Client, kid string) ([]jose.JSONWebKey, error)
}

// AssertionAlgs are the algorithms that client assertions may be signed with. RFC 9864 renames EdDSA with this curve to Ed25519, and
// libraries have begun to write that.
func AssertionAlgs() []string { return []string{"ES256", "EdDSA", "Ed25519", "RS256", "PS256"} }

// sameAlg is what an algorithm is called here.
func sameAlg(alg string) string {
	if alg == "Ed25519" {
		return "EdDSA"
	}
	return alg
}

// AssertionClient gives the client that an assertion speaks of. Nothing of it has been verified: it is where to look for the keys.
// The error is an *Error.
func AssertionClient(raw storage.Secret) (id string, err error) {
	a, err := parseAssertion(raw.Reveal())
	switch {
	case err != nil:
		return "", err
	case a.subject == "" || a.issuer != a.subject:
		return "", badAssertion("iss and sub must be the client_id.")
	}
	return a.subject, nil
}

// checkAssertion checks that the client signed the assertion for us, now, and uses it up (RFC 7523 §3). The error is an *Error, or
// an outage.
//
// What is wrong with the assertion by itself is said in words that help, since it says nothing about the client; everything
// else is the one refusal of errClient. The jti is used up last: who can't sign for a client uses up none of its.
func (s *Service) checkAssertion(ctx context.Context, client *clients.Client, cred Credentials) error {
	now := s.now()
	a, err := parseAssertion(cred.Assertion.Reveal())
	if err != nil {
		return err
	}
	if err := a.check(cred.ID, s.issuer, now); err != nil {
		return err
	}
	if client.ID != cred.ID || client.Disabled || client.TokenEndpointAuthMethod != AuthPrivateKeyJWT || s.clientKeys == nil {
		return errClient()
	}
	if alg := client.TokenEndpointAuthSigningAlg; alg != "" && sameAlg(alg) != sameAlg(a.alg) {
		return refuseClient(ReasonAssertion)
	}
	keys, err := s.clientKeys.Keys(ctx, client, a.kid)
	if err != nil {
		e := refuseClient(ReasonAssertionKey)
		e.cause = err
		return e
	}
	if !slices.ContainsFunc(keys, a.signedWith) {
		return refuseClient(ReasonAssertionKey)
	}
	switch err := s.store.UseJTI(ctx, client.ID, sha256.Sum256([]byte(a.jti)), a.expires.Add(assertionKeepExtra)); {
	case errors.Is(err, storage.ErrExists):
		return refuseClient(ReasonAssertionReplay)
	case err != nil:
		return fmt.Errorf("use a client assertion: %w", err)
	}
	return nil
}

// refuseClient is errClient with another reason for the operator.
func refuseClient(reason Reason) *Error {
	e := errClient()
	e.Reason = reason
	return e
}

func badAssertion(format string, args ...any) *Error {
	return refuse("invalid_client", http.StatusUnauthorized, ReasonAssertion, "The client_assertion is refused: "+format, args...)
}

// assertion is what a client assertion says.
type assertion struct {
	signed                 *jose.JSONWebSignature
	input, signature       []byte // what was signed, and how
	alg, kid               string
	issuer, subject, jti   string
	audience               json.RawMessage
	expires, begins, since time.Time // begins and since (iat) are zero when absent
}

// parseAssertion reads an assertion without verifying it. It refuses what is not meant for us by its form alone.
func parseAssertion(raw string) (*assertion, error) {
	if len(raw) > maxAssertion {
		return nil, badAssertion("it is longer than %d bytes.", maxAssertion)
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, badAssertion("it is not a JWT in the compact form.")
	}
	header, payload := decodeObject(parts[0]), decodeObject(parts[1])
	if header == nil || payload == nil {
		return nil, badAssertion("header and payload must be JSON objects without repeated members, base64url encoded.")
	}
	a := &assertion{}
	if err := a.readHeader(header); err != nil {
		return nil, err
	}
	if err := a.readClaims(payload); err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(a.alg)})
	if err != nil {
		return nil, badAssertion("it is not a JWT in the compact form.")
	}
	a.signed, a.input = signed, []byte(raw[:len(parts[0])+1+len(parts[1])])
	if a.signature, err = base64.RawURLEncoding.Strict().DecodeString(parts[2]); err != nil {
		return nil, badAssertion("it is not a JWT in the compact form.")
	}
	return a, nil
}

// decodeObject reads a part of a JWT; nil: it is no JSON object, or has a member twice (RFC 7515 §4, RFC 7519 §4: two readers
// might see different ones).
func decodeObject(part string) map[string]json.RawMessage {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	object := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		key, _ := name.(string)
		var value json.RawMessage
		if _, repeated := object[key]; repeated || d.Decode(&value) != nil {
			return nil
		}
		object[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil
	}
	if _, err := d.Token(); err != io.EOF {
		return nil
	}
	return object
}

// readHeader takes the algorithm from a list, and the key from nowhere but the client's registration (RFC 8725 §3.1, §3.10).
func (a *assertion) readHeader(header map[string]json.RawMessage) error {
	for _, name := range [...]string{"crit", "b64", "jwk", "jku", "x5u", "x5c"} {
		if _, ok := header[name]; ok {
			return badAssertion("the header %s is not supported.", name)
		}
	}
	typ := "JWT"
	if !texts(header, map[string]*string{"alg": &a.alg, "kid": &a.kid, "typ": &typ}) {
		return badAssertion("a header is not a string.")
	}
	switch {
	case slices.Contains(AssertionAlgs(), a.alg):
	case strings.HasPrefix(a.alg, "HS"):
		return refuse("invalid_client", http.StatusUnauthorized, ReasonAssertionMAC,
			"The method client_secret_jwt is not supported: sign with a key of your own (private_key_jwt), or send the secret (client_secret_basic).")
	default:
		return badAssertion("alg must be one of %s.", strings.Join(AssertionAlgs(), ", "))
	}
	// RFC 8725 §3.11: a JWT of another kind is none of these. Most clients say JWT, or nothing.
	if !strings.EqualFold(typ, "JWT") && !strings.EqualFold(typ, "client-authentication+jwt") {
		return badAssertion("typ must be JWT or client-authentication+jwt.")
	}
	return nil
}

func (a *assertion) readClaims(claims map[string]json.RawMessage) error {
	if !texts(claims, map[string]*string{"iss": &a.issuer, "sub": &a.subject, "jti": &a.jti}) {
		return badAssertion("iss, sub and jti must be strings.")
	}
	a.audience = claims["aud"]
	for name, at := range map[string]*time.Time{"exp": &a.expires, "nbf": &a.begins, "iat": &a.since} {
		raw, ok := claims[name]
		if !ok {
			continue
		}
		if *at, ok = numericDate(raw); !ok {
			return badAssertion("%s must be a number of seconds.", name)
		}
	}
	return nil
}

// texts reads the members that are there; false: one is no string.
func texts(object map[string]json.RawMessage, members map[string]*string) bool {
	for name, text := range members {
		raw, ok := object[name]
		// null would leave the text as it is.
		if ok && (len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, text) != nil) {
			return false
		}
	}
	return true
}

// numericDate reads a NumericDate (RFC 7519 §2), which may have a fraction.
func numericDate(raw json.RawMessage) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.UnixMicro(int64(seconds * 1e6)).UTC(), true
}

// check holds the claims to RFC 7523 §3 and to what we promise of them.
func (a *assertion) check(clientID, issuer string, now time.Time) error {
	var audience string
	switch {
	case a.issuer != clientID || a.subject != clientID:
		return badAssertion("iss and sub must be the client_id.")
	case !texts(map[string]json.RawMessage{"aud": a.audience}, map[string]*string{"aud": &audience}) || audience != issuer:
		// Only the issuer, and alone: an assertion that another server would take too could be one that it passed on.
		return badAssertion("aud must be the issuer identifier %s, as a single string.", issuer)
	case a.jti == "" || len(a.jti) > maxAssertionJTI:
		return badAssertion("jti must be there, with at most %d bytes.", maxAssertionJTI)
	case a.expires.IsZero():
		return badAssertion("exp must be there.")
	case !a.expires.After(now):
		return badAssertion("it has expired; %s.", clock(now))
	case a.expires.Sub(now) > maxAssertionTTL:
		return badAssertion("exp must be at most %d seconds ahead; %s.", int(maxAssertionTTL.Seconds()), clock(now))
	case a.begins.After(now.Add(assertionLeeway)) || a.since.After(now.Add(assertionLeeway)):
		return badAssertion("iat or nbf is in the future; %s.", clock(now))
	case !a.since.IsZero() && a.since.After(a.expires):
		return badAssertion("iat is after exp.")
	}
	return nil
}

// clock tells a client whose clock is wrong what time it is.
func clock(now time.Time) string {
	return "the server's clock says " + strconv.FormatInt(now.Unix(), 10) + ", " + now.UTC().Format(time.RFC3339)
}

// signedWith reports whether the assertion was signed with a key, which must be for this algorithm: the key decides, not the header
// (RFC 8725 §3.1).
func (a *assertion) signedWith(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && sameAlg(key.Algorithm) != sameAlg(a.alg) || !fitsAlg(key.Key, a.alg) {
		return false
	}
	if edwards, ok := key.Key.(ed25519.PublicKey); ok { // go-jose knows one of its two names only
		return ed25519.Verify(edwards, a.input, a.signature)
	}
	_, err := a.signed.Verify(key.Key)
	return err == nil
}

func fitsAlg(key any, alg string) bool {
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return alg == "ES256" && key.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return sameAlg(alg) == "EdDSA"
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		return (alg == "RS256" || alg == "PS256") && bits >= minAssertionRSA && bits <= maxAssertionRSA
	}
	return false
}
