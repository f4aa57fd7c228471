package clientauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/clients"
	"latchkey/server/internal/jwt"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// Registry is the part of the client registry that authentication needs.
type Registry interface {
	// Client returns a registered client. The error may be storage.ErrNotFound or a *clients.MetadataError.
	Client(ctx context.Context, id string) (*clients.Client, error)
	// CheckSecret reports whether a secret is the client's. It takes the same time for a client without one.
	CheckSecret(c *clients.Client, secret storage.Secret) bool
}

// Store keeps which assertions were used.
type Store interface {
	// UseJTI returns storage.ErrExists when the client has used the jti before.
	UseJTI(ctx context.Context, clientID string, jti storage.Digest, expiresAt time.Time) error
}

// Keys finds the keys that clients sign with.
type Keys interface {
	// Keys returns the public keys of a client, from its jwks or its jwks_uri, that have the kid; all of them when the kid is
	// empty. An empty result is no error; an error means that the keys are unavailable now.
	Keys(ctx context.Context, c *clients.Client, kid string) ([]jose.JSONWebKey, error)
}

// Config is the configuration of an Authenticator.
type Config struct {
	Clients Registry
	Store   Store
	// Keys may be nil: then private_key_jwt is refused.
	Keys Keys
	// Issuer is the audience of client assertions, and so are the Endpoints unless OnlyIssuer.
	Issuer    string
	Endpoints []string
	// OnlyIssuer refuses every other audience, and lists: FAPI 2.0 Security Profile §5.3.2.1.
	OnlyIssuer bool
	Now        func() time.Time
	// Refused, if not nil, is called for each refusal of a request that names a client; known reports whether there is such a client.
	Refused func(ctx context.Context, clientID string, known bool, e *protocol.Error)
}

// Authenticator authenticates clients.
type Authenticator struct {
	cfg   Config
	quota quota
}

// New returns an Authenticator.
func New(cfg Config) *Authenticator { return &Authenticator{cfg: cfg} }

// noClient is compared for unknown clients, so that timing reveals nothing.
var noClient = &clients.Client{}

// Authenticate returns the client that the credentials prove. The error is a *protocol.Error, or an outage: an unavailable database is
// never reported as invalid_client, since a client may drop its credentials because of that.
//
// A client that has a secret may send it either way: RFC 6749 §2.3.1 wants Basic supported for all of them, and libraries try
// both.
func (a *Authenticator) Authenticate(ctx context.Context, cred Credentials) (*clients.Client, error) {
	return a.AuthenticateFrom(ctx, cred, a.cfg.Clients.Client)
}

// AuthenticateFrom is Authenticate with another look-up of clients.
func (a *Authenticator) AuthenticateFrom(
	ctx context.Context, cred Credentials, find func(context.Context, string) (*clients.Client, error),
) (*clients.Client, error) {
	found := noClient
	client, err := a.authenticate(ctx, cred, func(ctx context.Context, id string) (c *clients.Client, err error) {
		if c, err = find(ctx, id); err == nil && found == noClient {
			found, cred.ID = c, c.ID
		}
		return c, err
	})
	a.note(ctx, cred, found != noClient, err)
	return client, err
}

// note reports a refusal.
func (a *Authenticator) note(ctx context.Context, cred Credentials, known bool, err error) {
	var refused *protocol.Error
	if a.cfg.Refused != nil && cred.ID != "" && errors.As(err, &refused) {
		a.cfg.Refused(ctx, cred.ID, known, refused)
	}
}

func (a *Authenticator) authenticate(
	ctx context.Context, cred Credentials, find func(context.Context, string) (*clients.Client, error),
) (*clients.Client, error) {
	if cred.Method == "" || cred.ID == "" {
		return nil, protocol.InvalidClient(reasons.Client, "The request names no client.")
	}
	client, err := a.prove(ctx, cred, find)
	for _, other := range cred.otherwise {
		if err == nil {
			break
		}
		second, otherErr := a.prove(ctx, Credentials{Method: cred.Method, ID: other.id, Secret: other.secret}, find)
		// An outage leaves open whether that reading was right. It must not become a refusal.
		if otherErr == nil || protocol.AsError(otherErr).Status >= http.StatusInternalServerError {
			client, err = second, otherErr
		}
	}
	return client, err
}

// prove returns the client that one reading of the credentials proves.
func (a *Authenticator) prove(
	ctx context.Context, cred Credentials, find func(context.Context, string) (*clients.Client, error),
) (*clients.Client, error) {
	client, err := find(ctx, cred.ID)
	var invalid *clients.MetadataError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		client = noClient
	case errors.As(err, &invalid):
		return nil, protocol.InvalidClient(reasons.Client, "%s", invalid.Description)
	case err != nil:
		return nil, err
	}
	var ok bool
	switch cred.Method {
	case clients.AuthBasic, clients.AuthPost:
		ok = a.cfg.Clients.CheckSecret(client, cred.Secret) && !client.Public() && client.TokenEndpointAuthMethod != clients.AuthPrivateKeyJWT
		// RFC 6749 §2.3.1: the secret of a client without one may be sent as an empty string. x/oauth2 does so in its first attempt.
		ok = ok || client.Public() && cred.Secret == ""
	case clients.AuthPrivateKeyJWT:
		if err := a.checkAssertion(ctx, client, cred); err != nil {
			return nil, err
		}
		ok = true
	case clients.AuthNone:
		ok = client.Public()
	}
	if !ok || client == noClient || client.Disabled {
		return nil, protocol.ClientRefused()
	}
	return client, nil
}

// AuthenticateConfidential is Authenticate for an endpoint that public clients may not use (RFC 7662 §2.1).
func (a *Authenticator) AuthenticateConfidential(ctx context.Context, cred Credentials) (*clients.Client, error) {
	client, err := a.Authenticate(ctx, cred)
	if err != nil {
		return nil, err
	}
	if client.Public() {
		err := protocol.ClientRefused()
		cred.ID = client.ID
		a.note(ctx, cred, true, err)
		return nil, err
	}
	return client, nil
}

// checkAssertion checks that the client signed the assertion for this server, and marks its jti as used (RFC 7523 §3). The error
// is a *protocol.Error, or an outage.
//
// A fault of the assertion itself is described, since it reveals nothing about the client; everything else is the one refusal of
// protocol.ClientRefused. The jti is marked last: only who can sign for a client uses up its identifiers.
func (a *Authenticator) checkAssertion(ctx context.Context, client *clients.Client, cred Credentials) error {
	now := a.cfg.Now()
	assertion, err := parseAssertion(cred.Assertion.Reveal())
	if err != nil {
		return err
	}
	if err := assertion.checkRequired(cred.ID); err != nil {
		return err
	}
	if err := a.checkAudience(assertion.Claims, a.cfg.OnlyIssuer || client.FAPI2()); err != nil {
		return err
	}
	if err := assertion.checkTimes(now); err != nil {
		return err
	}
	if client.ID != cred.ID || client.Disabled || client.TokenEndpointAuthMethod != clients.AuthPrivateKeyJWT || a.cfg.Keys == nil {
		return protocol.ClientRefused()
	}
	if client.Unverified() && assertion.outlives(maxAssertionTTL+assertionLeeway, now) {
		return badAssertion("exp must be at most %d seconds ahead, or iat must say when it was made; %s.", int(maxAssertionTTL.Seconds()), clock(now))
	}
	if alg := client.TokenEndpointAuthSigningAlg; alg != "" && !jwt.SameAlg(alg, assertion.Alg) || !client.AllowsAlg(assertion.Alg) {
		return refuseClient(reasons.Assertion)
	}
	if signed, err := a.SignedBy(ctx, client, assertion.Incoming); err != nil || !signed {
		e := refuseClient(reasons.AssertionKey)
		e.Cause = err
		return e
	}
	if err := a.AllowRow(ctx, client); err != nil {
		return err
	}
	switch err := a.cfg.Store.UseJTI(ctx, client.ID, sha256.Sum256([]byte(assertion.jti)), assertion.expires.Add(assertionKeepExtra)); {
	case errors.Is(err, storage.ErrExists):
		return refuseClient(reasons.AssertionReplay)
	case err != nil:
		return fmt.Errorf("use a client assertion: %w", err)
	}
	return nil
}

// SignedBy reports whether a JWT was signed with one of the client's keys. An error means that the keys are unavailable now.
func (a *Authenticator) SignedBy(ctx context.Context, client *clients.Client, f *jwt.Incoming) (bool, error) {
	if a.cfg.Keys == nil {
		return false, nil
	}
	keys, err := a.cfg.Keys.Keys(ctx, client, f.KID)
	return slices.ContainsFunc(keys, f.SignedWith), err
}

// checkAudience checks the aud of an assertion. By RFC 7523 §3 it identifies this server, and libraries write its issuer, the endpoint
// that they call, or a list (docs/divergences.md has what that risks); RFC 9126 §2 demands the first three.
func (a *Authenticator) checkAudience(claims jwt.Object, onlyIssuer bool) error {
	audience := claims.Texts("aud")
	if onlyIssuer {
		if len(audience) != 1 || claims["aud"][0] != '"' || audience[0] != a.cfg.Issuer {
			return badAssertion("aud must be the issuer identifier %s, as a single string (client-assertion-audience, or the client's profile).", a.cfg.Issuer)
		}
		return nil
	}
	ours := func(aud string) bool { return aud == a.cfg.Issuer || slices.Contains(a.cfg.Endpoints, aud) }
	if len(audience) > maxAudiences || !slices.ContainsFunc(audience, ours) {
		return badAssertion("aud must be the issuer identifier %s or the URL of the token endpoint, as a string or in a list of at most %d.", a.cfg.Issuer, maxAudiences)
	}
	return nil
}

// refuseClient returns protocol.ClientRefused with another reason for the operator.
func refuseClient(reason reasons.Reason) *protocol.Error {
	e := protocol.ClientRefused()
	e.Reason = reason
	return e
}

// AllowRow returns nil if a client may make the server store one more short-lived row now: always, if the operator has added or verified
// it. Otherwise the error is a *protocol.Error with status 429 while its network stores too many.
func (a *Authenticator) AllowRow(ctx context.Context, c *clients.Client) error {
	if !c.Unverified() {
		return nil
	}
	network, _ := request.From(ctx).WideNetwork()
	if wait := a.quota.take(network, a.cfg.Now()); wait > 0 {
		return protocol.Throttled(wait, "Too many requests of unverified clients from this network. Try again later; the operator can set verified for the client.")
	}
	return nil
}
