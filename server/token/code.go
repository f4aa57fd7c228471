package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"latchkey/clients"
	"latchkey/storage"
)

const (
	// codeTTL is how long a code is good: RFC 9700 and ASVS 10.4.3 want it short.
	codeTTL = time.Minute
	// codeKept is how long a code is recognised after that: presented once more, it ends what came of it.
	codeKept = 24 * time.Hour
	// codePrefix lets scanners find a leaked code.
	codePrefix = "lk_ac_"
)

// hashCode is what is stored of a code. It needs no key: nobody guesses 256 random bits.
func hashCode(code storage.Secret) storage.Digest { return sha256.Sum256([]byte(code.Reveal())) }

// issuing is the unit of work of one authorization: fosite's handlers fill in the code's row, which is written once.
type issuing struct {
	a       *Authorization
	session *storage.LiveBrowserSession
	now     time.Time
	code    storage.Secret
	row     *storage.AuthorizationCode
}

type issuingKey struct{}

func issuingOf(ctx context.Context) *issuing { return ctx.Value(issuingKey{}).(*issuing) }

// Issue gives the client a code for what the user of the session was asked about: see [Service.Decide]. One round trip; one
// more when the metadata document of the client has changed since it was stored.
func (s *Service) Issue(ctx context.Context, a *Authorization, session *storage.LiveBrowserSession) (*AuthorizationResponse, error) {
	client, err := s.clients.KeepDocument(ctx, a.Client)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	i := &issuing{a: a, session: session, now: s.now()}
	i.row = &storage.AuthorizationCode{
		ClientID: client.ID, UserID: session.UserID, SessionID: session.ID,
		UserEpoch: session.UserEpoch, ClientEpoch: client.AuthEpoch,
		RedirectURI: a.RedirectURI, AuthTime: session.AuthTime, AMR: session.AMR, Claims: a.claims.kept(),
		CreatedAt: i.now, ValidUntil: i.now.Add(codeTTL), ExpiresAt: i.now.Add(codeTTL + codeKept),
	}
	ctx = context.WithValue(ctx, issuingKey{}, i)
	request, err := i.fositeRequest()
	if err != nil {
		return nil, err
	}
	answer := fosite.NewAuthorizeResponse()
	for _, handler := range s.authorizers {
		if err := handler.HandleAuthorizeEndpointRequest(ctx, request, answer); err != nil {
			var refused *fosite.RFC6749Error
			if errors.As(err, &refused) && refused.StatusCode() < http.StatusInternalServerError {
				return nil, a.refuse(refused.ErrorField, "%s", refused.HintField)
			}
			return nil, fmt.Errorf("authorize: %w", err)
		}
	}
	if err := s.store.CreateAuthorizationCode(ctx, i.row); err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	return a.respond(url.Values{"code": {i.code.Reveal()}}), nil
}

// fositeRequest states the request in fosite's terms. What was decided before is left out: prompt and max_age, which fosite
// would judge by its own clock.
func (i *issuing) fositeRequest() (*fosite.AuthorizeRequest, error) {
	a := i.a
	redirect, err := url.Parse(a.RedirectURI)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	r := fosite.NewAuthorizeRequest()
	r.RequestedAt, r.State, r.RedirectURI = i.now, a.state, redirect
	r.ResponseTypes = fosite.Arguments{"code"}
	r.Client = fositeClient{Client: a.Client, scopes: a.Scope}
	r.Session = &codeSession{claims: newIDTokenClaims(i.row.UserID)}
	r.Form = url.Values{
		"redirect_uri": {a.RedirectURI}, "nonce": {a.nonce},
		"code_challenge": {a.challenge}, "code_challenge_method": {"S256"},
	}
	r.SetRequestedScopes(a.Scope)
	r.SetRequestedAudience(a.Resource)
	r.GrantedScope, r.GrantedAudience = slices.Clone(a.Scope), slices.Clone(a.Resource)
	return r, nil
}

// codeStrategy writes and reads codes for fosite.
type codeStrategy struct{ s *Service }

var _ oauth2.AuthorizeCodeStrategy = codeStrategy{}

func (codeStrategy) GenerateAuthorizeCode(ctx context.Context, _ fosite.Requester) (string, string, error) {
	i := issuingOf(ctx)
	i.code = clients.NewSecret(codePrefix)
	i.row.Hash = hashCode(i.code)
	return i.code.Reveal(), "", nil
}

// AuthorizeCodeSignature is not used: the row is found by the exchange's own request.
func (codeStrategy) AuthorizeCodeSignature(context.Context, string) string { return "" }

// ValidateAuthorizeCode judges the end of the code by the server's clock.
func (codeStrategy) ValidateAuthorizeCode(ctx context.Context, _ fosite.Requester, _ string) error {
	x := exchangeOf(ctx)
	if !x.now.Before(x.code.ValidUntil) {
		x.refusal = invalidCode(ReasonExpired)
		return fosite.ErrTokenExpired
	}
	return nil
}

// invalidCode says the same words whatever the reason.
func invalidCode(reason Reason) *Error {
	return refuse("invalid_grant", http.StatusBadRequest, reason, "The authorization code is invalid, expired or was used before, "+
		"or it was issued to another client or for another redirect_uri.")
}

// findCode reads the code of the request and judges what fosite does not know.
func (x *exchange) findCode(ctx context.Context) error {
	if !clients.IsSecret(codePrefix, x.req.Code) {
		return invalidCode(ReasonMalformed)
	}
	code, err := x.s.store.AuthorizationCode(ctx, hashCode(x.req.Code))
	if errors.Is(err, storage.ErrNotFound) {
		return invalidCode(ReasonUnknownGrant)
	}
	if err != nil {
		return fmt.Errorf("find the code: %w", err)
	}
	if code.ClientID != x.client.ID {
		// Whoever holds another client's code can't use it, and must not be able to end what came of it.
		return invalidCode(ReasonOtherClient)
	}
	x.code, x.user = &code.AuthorizationCode, code.User
	if x.req.RedirectURI != "" && x.req.RedirectURI != code.RedirectURI {
		return invalidCode(ReasonBadRequest)
	}
	return nil
}

// codeReplayed ends the grant that a code was redeemed for: RFC 6749 §4.1.2, RFC 9700 §4.5.
func (x *exchange) codeReplayed(ctx context.Context) error {
	event := x.s.event(ctx, "authorization_code_reused", "client", x.now)
	event.UserID, event.ClientID, event.GrantID, event.Outcome = x.code.UserID, x.code.ClientID, x.code.GrantID, "denied"
	return x.s.revoke(ctx, x.code.GrantID, "authorization_code_reused", event)
}

// fromCode makes the grant that the code is redeemed for.
func (x *exchange) fromCode(ctx context.Context) {
	c := x.code
	x.makeGrant(ctx, c.UserID, c.UserEpoch)
	g := x.grant
	g.ClientEpoch, g.SessionID, g.AuthTime, g.AMR, g.Claims = c.ClientEpoch, c.SessionID, c.AuthTime, c.AMR, c.Claims
	if x.next == nil {
		g.ExpiresAt = x.now.Add(x.policy.accessTTL) // nothing can be had of it after that
	}
}

// redeem writes the grant and uses up the code, in one act. Who loses the race for a code has presented a used one.
func (x *exchange) redeem(ctx context.Context) error {
	event := x.s.event(ctx, "authorization_code_redeemed", "user", x.now)
	event.UserID, event.ClientID, event.GrantID, event.Outcome = x.grant.UserID, x.client.ID, x.grant.ID, "success"
	err := x.s.store.RedeemAuthorizationCode(ctx, x.code.Hash, x.grant, event)
	if !errors.Is(err, storage.ErrConflict) {
		if err != nil {
			return fmt.Errorf("redeem the code: %w", err)
		}
		x.s.audited(event)
		return nil
	}
	now, err := x.s.store.AuthorizationCode(ctx, x.code.Hash)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("find the code: %w", err)
	}
	if err == nil && !now.RedeemedAt.IsZero() {
		x.code = &now.AuthorizationCode
		if err := x.codeReplayed(ctx); err != nil {
			return err
		}
		return invalidCode(ReasonRetired)
	}
	return invalidCode(ReasonSessionRevoked)
}

// CreateAuthorizeCodeSession is called by fosite's handler once there is a code.
func (fositeStore) CreateAuthorizeCodeSession(ctx context.Context, _ string, r fosite.Requester) error {
	i := issuingOf(ctx)
	i.row.Scope, i.row.Audience = r.GetGrantedScopes(), r.GetGrantedAudience()
	return nil
}

// CreatePKCERequestSession adds the challenge to the code's row.
func (fositeStore) CreatePKCERequestSession(ctx context.Context, _ string, r fosite.Requester) error {
	issuingOf(ctx).row.CodeChallenge = r.GetRequestForm().Get("code_challenge")
	return nil
}

// CreateOpenIDConnectSession adds the nonce to the code's row.
func (fositeStore) CreateOpenIDConnectSession(ctx context.Context, _ string, r fosite.Requester) error {
	issuingOf(ctx).row.Nonce = r.GetRequestForm().Get("nonce")
	return nil
}

// GetAuthorizeCodeSession finds the code of the request. It keeps fosite's contract: a used code is
// ErrInvalidatedAuthorizeCode together with the request, anything dead or unknown is ErrNotFound.
func (fositeStore) GetAuthorizeCodeSession(ctx context.Context, _ string, _ fosite.Session) (fosite.Requester, error) {
	x := exchangeOf(ctx)
	if x.code == nil { // fosite asks twice
		if err := x.findCode(ctx); err != nil {
			x.refusal = err
			return nil, fosite.ErrNotFound
		}
	}
	r := x.codeRequest()
	if !x.code.RedeemedAt.IsZero() {
		x.refusal = invalidCode(ReasonRetired)
		return r, fosite.ErrInvalidatedAuthorizeCode
	}
	return r, nil
}

// codeRequest states the code in fosite's terms.
func (x *exchange) codeRequest() *fosite.Request {
	r := fosite.NewRequest()
	r.ID = x.code.GrantID.String()
	// What the operator took from the client since then is left out.
	r.RequestedScope = x.stillAllowed(x.code.Scope)
	r.RequestedAudience = x.code.Audience
	r.GrantedScope, r.GrantedAudience = x.scope, x.audience
	r.Session = &session{x: x}
	r.Client = fositeClient{Client: x.client, scopes: x.code.Scope}
	r.RequestedAt = x.code.CreatedAt
	// The redirect URI is compared in findCode: only when it is sent.
	r.Form = url.Values{"code_challenge": {x.code.CodeChallenge}, "code_challenge_method": {"S256"}, "nonce": {x.code.Nonce}}
	return r
}

// InvalidateAuthorizeCodeSession has nothing to do: see exchange.redeem, which comes last and decides.
func (fositeStore) InvalidateAuthorizeCodeSession(context.Context, string) error { return nil }

// GetPKCERequestSession gives what is in the code's row.
func (fositeStore) GetPKCERequestSession(ctx context.Context, _ string, _ fosite.Session) (fosite.Requester, error) {
	return exchangeOf(ctx).codeRequest(), nil
}

// DeletePKCERequestSession does nothing: fosite deletes before it checks the verifier, which would let a second request do
// without one.
func (fositeStore) DeletePKCERequestSession(context.Context, string) error { return nil }

// GetOpenIDConnectSession gives what is in the code's row.
func (fositeStore) GetOpenIDConnectSession(ctx context.Context, _ string, r fosite.Requester) (fosite.Requester, error) {
	if !r.GetGrantedScopes().Has(scopeOpenID) {
		return nil, fosite.ErrNotFound
	}
	return exchangeOf(ctx).codeRequest(), nil
}

// DeleteOpenIDConnectSession has nothing to do.
func (fositeStore) DeleteOpenIDConnectSession(context.Context, string) error { return nil }
