package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

const (
	// codeTTL is how long a code is good: RFC 9700 and ASVS 10.4.3 want it short.
	codeTTL = time.Minute
	// codeKept is how long a code is recognised after that: presented once more, it ends the session that it began.
	codeKept = 24 * time.Hour
	// codePrefix lets secret scanners find a leaked code.
	codePrefix = "lk_ac_"
)

// hashCode returns what is stored of a code. It needs no key: 256 random bits can't be guessed.
func hashCode(code storage.Secret) storage.Digest { return sha256.Sum256([]byte(code.Reveal())) }

// CodeRequest is an authorization request that the user has allowed.
type CodeRequest struct {
	Client          *clients.Client
	Session         *storage.LiveBrowserSession
	RedirectURI     string
	Scope, Resource []string
	// Offered are resources that the user has seen besides, if Resource is empty: the client may name them later.
	Offered []string
	// Challenge is the code_challenge of the method S256 (RFC 7636 §4.2); empty for a request without PKCE.
	Challenge string
	Nonce     string
	// Claims is the claims parameter in its stored form.
	Claims string
	// DPoPKey is the only key that may redeem the code (RFC 9449 §10); empty = any.
	DPoPKey string
	// Pushed is the hash of the pushed request that is answered; zero = none.
	Pushed storage.Digest
}

// IssueCode stores an authorization code (RFC 6749 §4.1.2) and returns it. One round trip. The error is a *protocol.Error,
// storage.ErrConflict when the pushed request was answered before, or an outage.
func (s *Service) IssueCode(ctx context.Context, r *CodeRequest) (storage.Secret, error) {
	if err := s.rules.authorize(r.Client, r.RedirectURI, r.Scope, r.Challenge, r.Nonce); err != nil {
		return "", err
	}
	now, code := s.now(), clients.NewSecret(codePrefix)
	row := &storage.AuthorizationCode{
		Hash: hashCode(code), ClientID: r.Client.ID, UserID: r.Session.UserID, SessionID: r.Session.ID,
		UserEpoch: r.Session.UserEpoch, ClientEpoch: r.Client.AuthEpoch,
		RedirectURI: r.RedirectURI, CodeChallenge: r.Challenge, Scope: r.Scope, Audience: r.Resource, Offered: r.Offered,
		AuthTime: r.Session.AuthTime, AMR: r.Session.AMR, Nonce: r.Nonce, Claims: r.Claims, DPoPKey: r.DPoPKey, Pushed: r.Pushed,
		CreatedAt: now, ValidUntil: now.Add(codeTTL), ExpiresAt: now.Add(codeTTL + codeKept),
	}
	if err := s.store.CreateAuthorizationCode(ctx, row); err != nil {
		return "", fmt.Errorf("issue a code: %w", err)
	}
	return code, nil
}

// codeGrant is the authorization code grant (RFC 6749 §4.1.3).
type codeGrant struct {
	*exchange
	code *storage.AuthorizationCode
}

// invalidCode uses the same words whatever the reason.
func invalidCode(reason reasons.Reason) *protocol.Error {
	return protocol.Refuse("invalid_grant", reason, "The authorization code is invalid, expired or was used before, "+
		"or it was issued to another client or for another redirect_uri.")
}

func (g *codeGrant) load(ctx context.Context) error {
	switch {
	case g.req.Code == "":
		return protocol.InvalidRequest("The parameter code is missing.")
	case !clients.IsSecret(codePrefix, g.req.Code):
		return invalidCode(reasons.Malformed)
	}
	code, err := g.store.AuthorizationCode(ctx, hashCode(g.req.Code))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return invalidCode(reasons.UnknownGrant)
	case err != nil:
		return fmt.Errorf("find the code: %w", err)
	case code.ClientID != g.client.ID:
		// The session is left alone: who holds another client's code can't use it, and must not be able to end what came of it.
		return invalidCode(reasons.OtherClient)
	case g.req.RedirectURI == "" && g.needsRedirectURI(&code.AuthorizationCode):
		return protocol.InvalidRequest("The parameter redirect_uri is missing: without PKCE it must be that of the authorization request.")
	case g.req.RedirectURI != "" && g.req.RedirectURI != code.RedirectURI:
		return invalidCode(reasons.BadRequest)
	case !g.hasKey(code.DPoPKey):
		return errCodeKey()
	}
	g.code, g.user, g.nonce = &code.AuthorizationCode, code.User, code.Nonce // Core §12.2: only the first ID token has the nonce
	switch {
	case !code.RedeemedAt.IsZero():
		return g.replayed(ctx)
	case !g.now.Before(code.ValidUntil):
		return invalidCode(reasons.Expired)
	}
	if reason := endedFor(g.user, g.code.UserEpoch); reason != reasons.None {
		return invalidCode(reason)
	}
	return nil
}

// needsRedirectURI reports whether the redirect_uri may not be left out: RFC 6749 §4.1.3, which OAuth 2.1 relaxes since PKCE binds the
// code instead. What the authorization request need not have had need not be here.
func (g *codeGrant) needsRedirectURI(c *storage.AuthorizationCode) bool {
	return c.CodeChallenge == "" && (len(g.client.RedirectURIs) != 1 || slices.Contains(c.Scope, claims.ScopeOpenID))
}

// replayed ends the session that the code was redeemed for: RFC 6749 §4.1.2, RFC 9700 §4.5.
func (g *codeGrant) replayed(ctx context.Context) error {
	event := g.audit.Event(ctx, "authorization_code_reused", "client")
	event.UserID, event.ClientID, event.GrantID, event.Outcome = g.code.UserID, g.code.ClientID, g.code.GrantID, "denied"
	if err := g.revoke(ctx, g.code.GrantID, "authorization_code_reused", event); err != nil {
		return err
	}
	return invalidCode(reasons.Retired)
}

func (g *codeGrant) check(ctx context.Context) (err error) {
	c := g.code
	if err := g.rules.code(g.client, c.ClientID, c.CodeChallenge, g.req.CodeVerifier.Reveal()); err != nil {
		return err
	}
	// A scope parameter means nothing here: RFC 6749 §4.1.3 has none.
	g.scope = stillAllowed(g.client, c.Scope)
	g.audience, err = g.beginAudience(ctx, c.Audience, c.Offered)
	return err
}

// move stores the session and marks the code as used, in one statement. A request that loses the race for a code has presented a
// used one.
func (g *codeGrant) move(ctx context.Context) error {
	c := g.code
	g.beginApproved(ctx, approval{c.UserID, c.UserEpoch, c.ClientEpoch, c.Audience, c.Offered, c.AuthTime, c.AMR})
	g.grant.SessionID, g.grant.Claims = c.SessionID, c.Claims
	event := g.audit.Event(ctx, "authorization_code_redeemed", "user")
	event.UserID, event.ClientID, event.GrantID, event.Outcome = g.grant.UserID, g.client.ID, g.grant.ID, "success"
	event = g.audit.Limited(ctx, event)
	err := g.store.RedeemAuthorizationCode(ctx, c.Hash, g.grant, event)
	if errors.Is(err, storage.ErrConflict) {
		return g.lost(ctx)
	}
	if err != nil {
		return fmt.Errorf("redeem the code: %w", err)
	}
	g.audit.Written(event)
	return nil
}

// lost says why the code could not be redeemed.
func (g *codeGrant) lost(ctx context.Context) error {
	now, err := g.store.AuthorizationCode(ctx, g.code.Hash)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("find the code: %w", err)
	}
	if err == nil && !now.RedeemedAt.IsZero() {
		g.code = &now.AuthorizationCode
		return g.replayed(ctx)
	}
	return invalidCode(reasons.SessionRevoked)
}
