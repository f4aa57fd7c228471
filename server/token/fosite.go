package token

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
	"github.com/ory/fosite/token/jwt"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
)

// This file is everything that knows fosite. Each method of fositeRules hands one of fosite's handlers values that are loaded already
// and returns its verdict: an error of the protocol, or nil. Nothing is read, written or minted here. See docs/decisions/0001.

// fositeRules asks fosite's handlers for their verdict.
type fositeRules struct{ cfg *fosite.Config }

// newFositeRules sets every strategy: fosite's getters assign defaults lazily, which is a data race.
func newFositeRules() fositeRules {
	return fositeRules{&fosite.Config{
		ScopeStrategy: fosite.ExactScopeStrategy,
		// Resources follow rules that fosite does not know: AllowResources, narrowAudience.
		AudienceMatchingStrategy: func(_, _ []string) error { return nil },
		RefreshTokenScopes:       []string{}, // the registration of the client says whether it gets refresh tokens
		// RFC 9700 §2.1.1. Which other clients must use it is decided in server/authorize; plain is off by default.
		EnforcePKCEForPublicClients: true,
		// clients.Validate decides which redirect URIs can be registered.
		RedirectSecureChecker: func(context.Context, *url.URL) bool { return true },
		SanitationWhiteList:   []string{"redirect_uri"},
	}}
}

// password checks a request of the password grant (RFC 6749 §4.3). authenticate is called once everything else is right; its error
// comes back unchanged.
func (f fositeRules) password(c *clients.Client, scope []string, username, password string, authenticate func() error) error {
	r := f.request(clients.GrantPassword, c, scope)
	r.Form = url.Values{"username": {username}, "password": {password}}
	//lint:ignore SA1019 OAuth 2.1 drops the password grant; serving the applications that have it is what Latchkey is for.
	handler := &oauth2.ResourceOwnerPasswordCredentialsGrantHandler{
		ResourceOwnerPasswordCredentialsGrantStorage: loadedUser{authenticate: authenticate}, Config: f.cfg,
	}
	return verdict(handler.HandleTokenEndpointRequest(context.Background(), r))
}

// clientCredentials checks a request of the client_credentials grant (RFC 6749 §4.4).
func (f fositeRules) clientCredentials(c *clients.Client, scope []string) error {
	handler := &oauth2.ClientCredentialsGrantHandler{Config: f.cfg}
	return verdict(handler.HandleTokenEndpointRequest(context.Background(), f.request(clients.GrantClientCredentials, c, scope)))
}

// refresh checks a request of the refresh_token grant (RFC 6749 §6) for a live session with the given client and scope.
func (f fositeRules) refresh(c *clients.Client, sessionClient string, scope []string) error {
	found := &fosite.Request{ID: noID, Client: &fosite.DefaultClient{ID: sessionClient}, GrantedScope: scope, Session: stateless{}}
	loaded := loadedRefresh{found: found}
	handler := &oauth2.RefreshTokenGrantHandler{RefreshTokenStrategy: loaded, TokenRevocationStorage: loaded, Config: f.cfg}
	r := f.request(clients.GrantRefreshToken, c, nil)
	r.Client.(*fosite.DefaultClient).Scopes = scope // those that the client lost since are not in it: see stillAllowed
	return verdict(handler.HandleTokenEndpointRequest(context.Background(), r))
}

// code checks a request of the authorization_code grant (RFC 6749 §4.1.3) for a live code, and its verifier (RFC 7636 §4.6). An empty
// challenge is a request without PKCE, in which a verifier is refused: RFC 9700 §2.1.1 (downgrade).
func (f fositeRules) code(c *clients.Client, codeClient, challenge, verifier string) error {
	if challenge != "" && verifier == "" { // fosite would speak of its length
		return protocol.Refuse("invalid_grant", reasons.BadRequest, "The parameter code_verifier is missing: the authorization request had a code_challenge (RFC 7636).")
	}
	found := &fosite.Request{
		ID: noID, Client: &fosite.DefaultClient{ID: codeClient, Public: c.Public()}, Session: stateless{}, Form: challengeForm(challenge),
	}
	r := f.request(clients.GrantAuthorizationCode, c, nil)
	r.Form = url.Values{"code_verifier": {verifier}}
	loaded := loadedCode{found: found}
	for _, handler := range []fosite.TokenEndpointHandler{
		&oauth2.AuthorizeExplicitGrantHandler{AuthorizeCodeStrategy: loaded, CoreStorage: loaded, Config: f.cfg},
		&pkce.Handler{AuthorizeCodeStrategy: loaded, Storage: loaded, Config: f.cfg},
	} {
		if err := handler.HandleTokenEndpointRequest(context.Background(), r); err != nil {
			return verdict(err)
		}
	}
	return nil
}

// authorize checks an authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, OpenID Connect Core §3.1.2.1) before its code is issued.
// What was decided before is left out: prompt and max_age, which fosite would judge by its own clock.
func (f fositeRules) authorize(c *clients.Client, redirectURI string, scope []string, challenge, nonce string) error {
	redirect, err := url.Parse(redirectURI)
	if err != nil {
		return protocol.InvalidRequest("The redirect_uri is malformed.")
	}
	r := fosite.NewAuthorizeRequest()
	r.RedirectURI, r.ResponseTypes, r.Session = redirect, fosite.Arguments{"code"}, signedIn{}
	r.Client = fositeClient(c, scope)
	r.Form = challengeForm(challenge)
	r.Form.Set("redirect_uri", redirectURI)
	r.Form.Set("nonce", nonce)
	r.SetRequestedScopes(scope)
	r.GrantedScope = scope
	loaded, answer := loadedCode{}, fosite.NewAuthorizeResponse()
	for _, handler := range []fosite.AuthorizeEndpointHandler{
		&oauth2.AuthorizeExplicitGrantHandler{AuthorizeCodeStrategy: loaded, CoreStorage: loaded, Config: f.cfg},
		&openid.OpenIDConnectExplicitHandler{
			OpenIDConnectRequestStorage:   loaded,
			OpenIDConnectRequestValidator: openid.NewOpenIDConnectRequestValidator(nil, f.cfg), Config: f.cfg,
		},
		&pkce.Handler{AuthorizeCodeStrategy: loaded, Storage: loaded, Config: f.cfg},
	} {
		if err := handler.HandleAuthorizeEndpointRequest(context.Background(), r, answer); err != nil {
			return verdict(err)
		}
	}
	return nil
}

// challengeForm returns the parameters of RFC 7636 §4.3; none for a request without a challenge.
func challengeForm(challenge string) url.Values {
	if challenge == "" {
		return url.Values{}
	}
	return url.Values{"code_challenge": {challenge}, "code_challenge_method": {"S256"}}
}

// request states a token request in fosite's terms.
func (f fositeRules) request(grantType string, c *clients.Client, scope []string) *fosite.AccessRequest {
	return &fosite.AccessRequest{
		GrantTypes: fosite.Arguments{grantType},
		Request:    fosite.Request{Client: fositeClient(c, AllowedScopes(c)), RequestedScope: scope, Session: stateless{}},
	}
}

// noID is the ID of a request that is not stored. For an empty one fosite draws a random one.
const noID = "-"

func fositeClient(c *clients.Client, scope []string) *fosite.DefaultClient {
	return &fosite.DefaultClient{
		ID: c.ID, RedirectURIs: c.RedirectURIs, GrantTypes: c.GrantTypes, ResponseTypes: c.ResponseTypes,
		Scopes: scope, Audience: c.Policy.Resources, Public: c.Public(),
	}
}

// verdict returns our own error where one is wrapped, then fosite's where it is one of the protocol; any other is a bug.
func verdict(err error) error {
	if err == nil { // here, since what errors.As fills is allocated
		return nil
	}
	var own *protocol.Error
	var refused *fosite.RFC6749Error
	var outage loadError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &outage):
		return outage.error
	case errors.As(err, &refused):
		switch refused.ErrorField {
		case "invalid_request", "invalid_scope", "invalid_grant", "unauthorized_client":
			e := protocol.Refuse(refused.ErrorField, reasons.BadRequest, "%s", refused.HintField)
			e.Cause = err
			return e
		}
	}
	return err
}

// loadError carries an error that is not fosite's through it.
type loadError struct{ error }

func (e loadError) Unwrap() error { return e.error }

// What follows implements fosite's interfaces over loaded values. Each type embeds the interface, which is nil, and has the methods
// that the checks call: fosite would call the others only to mint and to store. That some have nothing to do is fosite's demand.

// stateless is a session that fosite need not keep anything in: the times of tokens follow from the policy of the client.
type stateless struct{}

func (stateless) Clone() fosite.Session                       { return stateless{} }
func (stateless) SetExpiresAt(fosite.TokenType, time.Time)    {}
func (stateless) GetExpiresAt(fosite.TokenType) (t time.Time) { return t }
func (stateless) GetSubject() string                          { return "" }
func (stateless) GetUsername() string                         { return "" }

// signedIn is the session of an authorization request. fosite wants to see a user in it.
type signedIn struct{ stateless }

func (signedIn) IDTokenClaims() *jwt.IDTokenClaims { return &jwt.IDTokenClaims{Subject: "user"} }
func (signedIn) IDTokenHeaders() *jwt.Headers      { return &jwt.Headers{} }

type loadedUser struct {
	oauth2.ResourceOwnerPasswordCredentialsGrantStorage
	authenticate func() error
}

func (l loadedUser) Authenticate(context.Context, string, string) (string, error) {
	if err := l.authenticate(); err != nil {
		return "", loadError{err}
	}
	return "", nil
}

type loadedRefresh struct {
	oauth2.RefreshTokenStrategy
	oauth2.TokenRevocationStorage
	found *fosite.Request
}

func (loadedRefresh) RefreshTokenSignature(context.Context, string) string { return "" }

func (l loadedRefresh) GetRefreshTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return l.found, nil
}

func (loadedRefresh) ValidateRefreshToken(context.Context, fosite.Requester, string) error {
	return nil
}

type loadedCode struct {
	oauth2.AuthorizeCodeStrategy
	oauth2.CoreStorage
	pkce.PKCERequestStorage
	openid.OpenIDConnectRequestStorage
	found *fosite.Request
}

func (loadedCode) AuthorizeCodeSignature(context.Context, string) string { return "" }

func (l loadedCode) GetAuthorizeCodeSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return l.found, nil
}

func (loadedCode) ValidateAuthorizeCode(context.Context, fosite.Requester, string) error { return nil }

func (l loadedCode) GetPKCERequestSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return l.found, nil
}

func (loadedCode) DeletePKCERequestSession(context.Context, string) error { return nil }

// GenerateAuthorizeCode returns a placeholder that fosite requires and no client receives: IssueCode generates the code.
func (loadedCode) GenerateAuthorizeCode(context.Context, fosite.Requester) (string, string, error) {
	return "code", "", nil
}

func (loadedCode) CreateAuthorizeCodeSession(context.Context, string, fosite.Requester) error {
	return nil
}

func (loadedCode) CreatePKCERequestSession(context.Context, string, fosite.Requester) error {
	return nil
}

func (loadedCode) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return nil
}
