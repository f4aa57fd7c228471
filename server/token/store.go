package token

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"

	"latchkey/server/users"
)

// fositeStore is fosite's storage over ours. Access tokens are self-contained and refresh tokens are a state of their
// grant, so most of what fosite would store has nothing to store.
type fositeStore struct{ s *Service }

var (
	_ oauth2.CoreStorage                                  = fositeStore{}
	_ pkce.PKCERequestStorage                             = fositeStore{}
	_ openid.OpenIDConnectRequestStorage                  = fositeStore{}
	_ oauth2.TokenRevocationStorage                       = fositeStore{}
	_ oauth2.ResourceOwnerPasswordCredentialsGrantStorage = fositeStore{}
)

// Authenticate checks a password. fosite.ErrNotFound becomes invalid_grant; our own refusal comes before it.
func (st fositeStore) Authenticate(ctx context.Context, _, _ string) (string, error) {
	x := exchangeOf(ctx)
	login, err := st.s.users.Authenticate(ctx, x.req.Username, x.req.Password)
	var throttled *users.ThrottledError
	switch {
	case errors.Is(err, users.ErrCredentials):
		x.refusal = refuse("invalid_grant", http.StatusBadRequest, ReasonCredentials, "The username or the password is wrong.")
	case errors.As(err, &throttled):
		x.refusal = &Error{
			Code: "temporarily_unavailable", Description: "Too many attempts. Try again later.",
			Status: http.StatusTooManyRequests, RetryAfter: throttled.RetryAfter, Reason: ReasonThrottled,
		}
	case errors.Is(err, users.ErrOverload):
		x.refusal = &Error{
			Code: "temporarily_unavailable", Description: "The server is busy. Try again.",
			Status: http.StatusServiceUnavailable, RetryAfter: retryAfterOutage, Reason: ReasonOverload,
		}
	}
	if err != nil {
		return "", err
	}
	x.login = login
	return "", nil
}

// GetRefreshTokenSession finds the session of the presented token. It keeps fosite's contract: a token that was used
// before is ErrInactiveToken together with the request, anything dead or unknown is ErrNotFound.
func (st fositeStore) GetRefreshTokenSession(ctx context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	x := exchangeOf(ctx)
	if signature == "" { // not authentic; the strategy has said why
		return nil, fosite.ErrNotFound
	}
	if err := x.find(ctx); err != nil {
		x.refusal = err
		return nil, fosite.ErrNotFound
	}
	found := fosite.NewRequest()
	found.ID = x.grant.ID.String()
	// What the operator took from the client since then is left out of the next tokens; fosite would refuse the refresh,
	// and log the user out.
	found.GrantedScope = x.stillAllowed(x.grant.Scope)
	found.GrantedAudience = x.grant.Audience
	found.Session = &session{x: x}
	found.Client = fositeClient{Client: x.client, scopes: found.GrantedScope}
	found.RequestedAt = x.grant.CreatedAt
	if x.isReuse() {
		x.refusal = x.refuseReuse()
		return found, fosite.ErrInactiveToken
	}
	return found, nil
}

// stillAllowed leaves out of a granted scope what the client may not have any more. A client that was registered without any
// scope may have whatever its user agreed to.
func (x *exchange) stillAllowed(granted []string) []string {
	if len(x.client.Scopes()) == 0 {
		return granted
	}
	allowed := allowedScopes(x.client)
	return slices.DeleteFunc(slices.Clone(granted), func(scope string) bool { return !slices.Contains(allowed, scope) })
}

// DeleteRefreshTokenSession is the first thing that fosite does about reuse. An error here would keep it from the
// revocation, so there is none to give.
func (fositeStore) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RevokeRefreshToken is called by fosite for a reused token or code, before the request is refused: the revocation is
// written here and now, and survives the refusal.
func (fositeStore) RevokeRefreshToken(ctx context.Context, _ string) error {
	x := exchangeOf(ctx)
	verdict := x.reused
	if x.code != nil {
		verdict = x.codeReplayed
	}
	if err := verdict(ctx); err != nil {
		x.refusal = err // an outage: the client may try again, the token stays as dead as it was
		return err
	}
	return nil
}

// RevokeAccessToken has nothing to do: access tokens die with their grant.
func (fositeStore) RevokeAccessToken(context.Context, string) error { return nil }

// errNotMoved is a bug: fosite was let to mint before the chain was moved.
var errNotMoved = errors.New("tokens minted for a chain that was not moved")

// RotateRefreshToken makes sure that the guarded write has happened: it comes before minting (see exchange.decide),
// since under the policy confirmed the successor depends on it.
func (fositeStore) RotateRefreshToken(ctx context.Context, _, _ string) error {
	if exchangeOf(ctx).moved {
		return nil
	}
	return errNotMoved
}

func (fositeStore) CreateRefreshTokenSession(context.Context, string, string, fosite.Requester) error {
	return nil
}

func (fositeStore) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil
}

func (fositeStore) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

func (fositeStore) DeleteAccessTokenSession(context.Context, string) error { return nil }
