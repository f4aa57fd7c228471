package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"

	"latchkey/clients"
	"latchkey/server/internal/legacyjwt"
	"latchkey/server/internal/request"
	"latchkey/server/users"
	"latchkey/storage"
)

// exchange is the unit of work of one token request: what is known of it, read once and written once.
type exchange struct {
	s      *Service
	req    *Request
	client *clients.Client
	policy *policy
	now    time.Time

	// sliding is set when the request is for a sliding token.
	sliding bool

	// login is set by the password grant, code by the authorization_code grant.
	login *users.Authenticated
	code  *storage.AuthorizationCode
	// grant is the session, made by the password grant or found by the refresh grant.
	grant *storage.Grant
	// user is the session's, as it was when the grant was read; its password hash may be missing.
	user *storage.User
	// presented is the refresh token of the request, legacy the same in simplejwt's form, at its place in the chain.
	presented *refreshToken
	legacy    *legacyjwt.Token
	at        place
	// next is the refresh token that is given out; nil: none.
	next *refreshToken
	// moved is true once the guarded write of a refresh has succeeded.
	moved bool
	// access is the access token, once it is written: the ID token names its hash.
	access string
	// scope and audience are what the access token carries.
	scope    []string
	audience []string
	// refusal is our own verdict, which fosite knows by an error of its own.
	refusal error
}

// Exchange answers a token request (RFC 6749 §3.2). Every grant goes through this one pipeline: authenticate the client,
// is the grant type allowed, fosite's checks with ours behind them, move the chain, mint.
//
// The error is an *Error or an outage: see AsError.
func (s *Service) Exchange(ctx context.Context, req *Request) (*Response, error) {
	resp, err := s.exchange(ctx, req)
	outcome := "issued"
	if err != nil {
		e := AsError(err)
		outcome = e.Code
		if e.Reason != ReasonNone {
			request.From(ctx).Event.Add(slog.String("reason", string(e.Reason)))
		}
	}
	s.metrics.Tokens.WithLabelValues(s.grantLabel(req.GrantType), outcome).Inc()
	return resp, err
}

// grantLabel is a grant type for the log and the metrics. Text that a stranger sent is in neither: as a label it would be
// unbounded, and a client that mixes up its parameters sends a password or a token here.
func (s *Service) grantLabel(grantType string) string {
	if _, known := s.handlers[grantType]; !known {
		return "other"
	}
	return grantType
}

func (s *Service) exchange(ctx context.Context, req *Request) (*Response, error) {
	if req.GrantType == "" {
		return nil, invalidRequest("The parameter grant_type is missing.")
	}
	client, err := s.authenticate(ctx, req.Client)
	if err != nil {
		return nil, err
	}
	// The client is still in the database when the operator switches its routes off: with it anybody could log in at the
	// token endpoint instead. It may still revoke what it holds.
	if client.ID == clients.SimpleJWTID && s.simplejwt.Off {
		return nil, errClient()
	}
	request.From(ctx).Event.Add(slog.String("client_id", client.ID), slog.String("grant_type", s.grantLabel(req.GrantType)))
	handler, err := s.handlerFor(client, req.GrantType)
	if err != nil {
		return nil, err
	}
	x := &exchange{s: s, req: req, client: client, policy: s.policyOf(client), now: s.now()}
	if x.sliding = req.Sliding && client.ID == clients.SimpleJWTID; x.sliding {
		x.policy = s.slidingPolicyOf(client)
	}
	ctx = withExchange(ctx, x)

	access, err := x.accessRequest(ctx)
	if err != nil {
		return nil, err
	}
	if err := handler.HandleTokenEndpointRequest(ctx, access); err != nil {
		return nil, x.translate(err)
	}
	if err := x.decide(ctx, access); err != nil {
		return nil, err
	}
	minted := fosite.NewAccessResponse()
	if err := handler.PopulateTokenEndpointResponse(ctx, access, minted); err != nil {
		return nil, x.translate(err)
	}
	switch {
	case x.login != nil:
		err = x.begin(ctx)
	case x.code != nil:
		err = x.redeem(ctx)
	}
	if err != nil {
		return nil, err
	}
	return x.response(minted), nil
}

// handlerFor finds fosite's handler. What the server lacks is unsupported_grant_type; what the client lacks is
// unauthorized_client, before anything about the grant itself (RFC 6749 §5.2).
func (s *Service) handlerFor(client *clients.Client, grantType string) (fosite.TokenEndpointHandler, error) {
	handler, ok := s.handlers[grantType]
	if !ok {
		return nil, refuse("unsupported_grant_type", http.StatusBadRequest, ReasonBadRequest, "The server does not know this grant type.")
	}
	if !client.Allows(grantType) {
		return nil, refuse("unauthorized_client", http.StatusBadRequest, ReasonBadRequest, "The client is not registered for the grant type %s.", grantType)
	}
	return handler, nil
}

// accessRequest states the request in fosite's terms. The handlers are called directly: NewAccessRequest would parse a
// form, which the simplejwt routes do not have, and authenticate the client its own way.
func (x *exchange) accessRequest(ctx context.Context) (*fosite.AccessRequest, error) {
	access := fosite.NewAccessRequest(&session{x: x})
	access.RequestedAt = x.now
	access.GrantTypes = fosite.Arguments{x.req.GrantType}
	access.Form = url.Values{}
	asking := fositeClient{Client: x.client, scopes: allowedScopes(x.client)}
	if x.req.GrantType == GrantRefreshToken {
		asking.refresh = x
	}
	access.Client = asking

	switch x.req.GrantType {
	case GrantRefreshToken:
		if x.req.RefreshToken == "" {
			return nil, invalidRequest("The parameter refresh_token is missing.")
		}
		access.Form.Set("refresh_token", x.req.RefreshToken.Reveal())
	case GrantAuthorizationCode:
		if x.req.Code == "" {
			return nil, invalidRequest("The parameter code is missing.")
		}
		access.Form.Set("code", x.req.Code.Reveal())
		access.Form.Set("code_verifier", x.req.CodeVerifier.Reveal())
	case GrantPassword:
		access.Form.Set("username", x.req.Username)
		access.Form.Set("password", x.req.Password.Reveal())
		fallthrough
	default:
		scopes := x.client.Scopes() // the default when none is asked for: all that the client is registered for
		if x.req.Scope != nil {
			scopes = strings.Fields(*x.req.Scope)
		}
		if x.req.GrantType == GrantClientCredentials && x.client.Unverified() {
			// Anybody can register a client, with any scope. Where no user is asked, that must open nothing.
			if x.req.Scope != nil && len(scopes) > 0 || len(x.req.Resource) > 0 {
				return nil, refuse("invalid_scope", http.StatusBadRequest, ReasonBadRequest, "The operator has not verified the client: without a user it gets neither scopes nor resources.")
			}
			scopes = nil
		}
		access.SetRequestedScopes(scopes)
		resources, err := x.s.allowResources(ctx, x.client, x.req.Resource)
		if err != nil {
			return nil, err
		}
		access.SetRequestedAudience(resources)
	}
	return access, nil
}

// decide settles, after fosite's checks and before anything is minted, what the tokens carry, and moves the chain.
func (x *exchange) decide(ctx context.Context, access *fosite.AccessRequest) (err error) {
	switch x.req.GrantType {
	case GrantAuthorizationCode:
		// A scope parameter means nothing here: RFC 6749 §4.1.3 has none.
		x.scope, x.audience = access.GetRequestedScopes(), access.GetRequestedAudience()
		x.fromCode(ctx)
		if x.audience, err = narrowAudience(x.audience, x.req.Resource); err != nil {
			return err
		}
	case GrantRefreshToken:
		if x.scope, err = narrowScope(access.GetGrantedScopes(), x.req.Scope); err != nil {
			return err
		}
		if x.audience, err = narrowAudience(access.GetGrantedAudience(), x.req.Resource); err != nil {
			return err
		}
		if err = x.move(ctx); err != nil {
			return err
		}
	default:
		x.scope, x.audience = access.GetRequestedScopes(), access.GetRequestedAudience()
		if x.login != nil {
			x.makeGrant(ctx, x.login.User.ID, x.login.User.AuthEpoch)
			x.user = x.login.User
		}
	}
	access.GrantedScope, access.GrantedAudience = x.scope, x.audience
	return nil
}

// narrowScope gives the scope of the next access token: RFC 6749 §6, never more than was granted.
func narrowScope(granted []string, asked *string) ([]string, error) {
	if asked == nil {
		return granted, nil
	}
	scopes := strings.Fields(*asked)
	for _, scope := range scopes {
		if !slices.Contains(granted, scope) {
			return nil, refuse("invalid_scope", http.StatusBadRequest, ReasonBadRequest, "A scope was asked for that the session does not hold.")
		}
	}
	return scopes, nil
}

// narrowAudience gives the audience of the next access token: RFC 8707 §2.2, a subset of what was granted, spelt as it was
// granted.
func narrowAudience(granted, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return granted, nil
	}
	narrowed := make([]string, len(asked))
	for i, resource := range asked {
		at := slices.IndexFunc(granted, func(g string) bool { return sameResource(g, resource) })
		if at < 0 {
			return nil, invalidTarget()
		}
		narrowed[i] = granted[at]
	}
	return narrowed, nil
}

// sameResource tells whether two identifiers mean the same: an empty path is a slash (RFC 3986 §6.2.3), and clients that parse
// URLs write the slash.
func sameResource(a, b string) bool {
	if a == b {
		return true
	}
	bare, slashed := a, b
	if len(a) > len(b) {
		bare, slashed = b, a
	}
	_, authority, ok := strings.Cut(bare, "://")
	return ok && bare+"/" == slashed && !strings.ContainsAny(authority, "/?")
}

func invalidTarget() *Error {
	return refuse("invalid_target", http.StatusBadRequest, ReasonBadRequest, "The client may not ask for this resource.")
}

// allowResources checks the resource parameters (RFC 8707 §2) of a request that makes a new grant, and gives them as they are
// registered.
func (s *Service) allowResources(ctx context.Context, client *clients.Client, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	allowed := client.Policy.Resources
	if len(allowed) == 0 {
		if s.anyRes {
			for _, resource := range asked {
				if !clients.ValidResource(resource) {
					return nil, invalidTarget()
				}
			}
			return asked, nil
		}
		registered, err := s.clients.Resources(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range registered {
			allowed = append(allowed, r.Identifier)
		}
	}
	return narrowAudience(allowed, asked)
}

// makeGrant makes the session that a login or a code begins.
func (x *exchange) makeGrant(ctx context.Context, userID, userEpoch int64) {
	info := request.From(ctx)
	g := &storage.Grant{
		ID: storage.NewID(x.now), ClientID: x.client.ID, UserID: userID,
		Scope: x.scope, Audience: x.audience,
		UserEpoch: userEpoch, ClientEpoch: x.client.AuthEpoch,
		AuthTime: x.now, CreatedAt: x.now, LastUsedAt: x.now, ExpiresAt: x.now.Add(x.policy.absolute),
		UserAgent: info.UserAgent,
		Current:   newTokenID(),
	}
	if info.Address.IsValid() {
		g.Address = info.Address.String()
	}
	x.grant = g
	if !x.sliding && x.client.Allows(GrantRefreshToken) {
		x.next = &refreshToken{
			Grant: g.ID, ID: g.Current, client: tagOf(x.client.ID),
			IssuedAt: x.now.Truncate(time.Second), ExpiresAt: x.policy.refreshExpiry(g, x.now),
		}
	}
}

// begin writes the grant with everything that the login changes, in one act.
func (x *exchange) begin(ctx context.Context) error {
	login := x.login.Login
	if login != nil && x.req.NoLastLogin {
		login.SetLastLogin = time.Time{}
	}
	event := x.s.users.LoginEvent(ctx, x.login.User, x.client.ID, x.grant.ID)
	if err := x.s.store.CreateGrant(ctx, x.grant, login, event); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	x.s.audited(event)
	return nil
}

func (x *exchange) response(minted *fosite.AccessResponse) *Response {
	resp := &Response{
		AccessToken: storage.Secret(minted.GetAccessToken()),
		ExpiresIn:   int64(x.accessExpiry().Sub(x.now.Truncate(time.Second)) / time.Second),
		Scope:       joinScope(x.scope),
	}
	if refresh, ok := minted.GetExtra("refresh_token").(string); ok {
		resp.RefreshToken = storage.Secret(refresh)
	}
	if idToken, ok := minted.GetExtra("id_token").(string); ok {
		resp.IDToken = storage.Secret(idToken)
	}
	if x.next != nil {
		resp.RefreshExpiresIn = int64(x.next.ExpiresAt.Sub(x.now.Truncate(time.Second)) / time.Second)
	}
	if x.grant != nil {
		resp.GrantID = x.grant.ID
	}
	return resp
}

// accessExpiry is the end of the access token: never past the end of its grant.
func (x *exchange) accessExpiry() time.Time {
	end := x.now.Add(x.policy.accessTTL)
	if x.grant != nil && x.grant.ExpiresAt.Before(end) {
		end = x.grant.ExpiresAt
	}
	return end.Truncate(time.Second)
}

// translate gives our own verdict where there is one, then fosite's where it is one of the protocol.
func (x *exchange) translate(err error) error {
	if x.refusal != nil {
		return x.refusal
	}
	var e *fosite.RFC6749Error
	if !errors.As(err, &e) || errors.Is(err, storage.ErrUnavailable) {
		return err
	}
	switch e.ErrorField {
	case "invalid_request", "invalid_scope", "invalid_grant", "unauthorized_client":
		return &Error{Code: e.ErrorField, Status: http.StatusBadRequest, Reason: ReasonBadRequest, Description: e.HintField, cause: err}
	}
	return err
}
