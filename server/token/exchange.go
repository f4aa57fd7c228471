package token

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/clientauth"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/storage"
)

// Request is a token request (RFC 6749 §4.1.3, §4.3, §4.4, §6).
type Request struct {
	Client    clientauth.Credentials
	GrantType string

	// Username and Password are for the password grant.
	Username string
	Password storage.Secret
	// RefreshToken is for the refresh_token grant.
	RefreshToken storage.Secret

	// Code, CodeVerifier and RedirectURI are for the authorization_code grant; RedirectURI may be empty.
	Code         storage.Secret
	CodeVerifier storage.Secret
	RedirectURI  string

	// Scope is nil when the parameter is absent.
	Scope *string
	// Resource are the resource parameters (RFC 8707 §2).
	Resource []string

	// Format is that of the tokens; nil means the client's own.
	Format Format
	// KeepLastLogin leaves the user's last login as it is.
	KeepLastLogin bool
}

// Response is a token response (RFC 6749 §5.1).
type Response struct {
	AccessToken  storage.Secret
	RefreshToken storage.Secret // empty when none is issued
	IDToken      storage.Secret // empty when none is issued
	// ExpiresIn is the access token's whole lifetime in seconds.
	ExpiresIn int64
	// RefreshExpiresIn is the rest of the refresh token's life in seconds; zero when none is issued.
	RefreshExpiresIn int64
	// Scope is that of the access token, space separated.
	Scope string
	// GrantID is the session; zero for client_credentials.
	GrantID storage.ID
}

// exchange is one token request on its way through the steps of its grant type.
type exchange struct {
	*Service
	req    *Request
	client *clients.Client
	format Format
	policy *Policy
	now    time.Time

	// What the tokens say is filled in by the steps. scope and audience are those of the access token.
	scope, audience []string
	grant           *storage.Grant
	user            *storage.User
	presented       *RefreshToken
	next            *RefreshToken
	nonce           string
}

// steps are those in which grant types differ. Exchange calls them in this order, after the client was authenticated and before the
// tokens are minted; none can be left out but move, by a grant type that stores nothing.
type steps struct {
	// load reads what the request presents, and judges it.
	load func(ctx context.Context) error
	// check asks fosite whether the request is right, and settles scope and audience.
	check func(ctx context.Context) error
	// move writes what the request changes: one statement that decides.
	move func(ctx context.Context) error
}

// Exchange answers a token request (RFC 6749 §3.2). The error is a *protocol.Error or an outage: see [protocol.AsError].
func (s *Service) Exchange(ctx context.Context, req *Request) (*Response, error) {
	resp, err := s.exchange(ctx, req)
	outcome := "issued"
	if err != nil {
		e := protocol.AsError(err)
		outcome = e.Code
		if e.Reason != protocol.ReasonNone {
			request.From(ctx).Event.Add(slog.String("reason", string(e.Reason)))
		}
	}
	s.metrics.Tokens.WithLabelValues(grantLabel(req.GrantType), outcome).Inc()
	return resp, err
}

// grantLabel returns a grant type for the log and the metrics. Text of the request is in neither: as a label it would be unbounded,
// and a client that mixes up its parameters sends a password or a token here.
func grantLabel(grantType string) string {
	if slices.Contains(GrantTypes(), grantType) {
		return grantType
	}
	return "other"
}

func (s *Service) exchange(ctx context.Context, req *Request) (*Response, error) {
	if req.GrantType == "" {
		return nil, protocol.InvalidRequest("The parameter grant_type is missing.")
	}
	client, err := s.auth.Authenticate(ctx, req.Client)
	if err != nil {
		return nil, err
	}
	x := &exchange{Service: s, req: req, client: client, format: req.Format, now: s.now()}
	if x.format == nil {
		x.format = s.formatOf(client)
	}
	x.policy = x.format.Policy(s.deployment, client)
	if x.policy.Closed {
		return nil, protocol.ClientRefused()
	}
	request.From(ctx).Event.Add(slog.String("client_id", client.ID), slog.String("grant_type", grantLabel(req.GrantType)))
	steps, err := x.steps()
	if err != nil {
		return nil, err
	}
	if err := steps.load(ctx); err != nil {
		return nil, err
	}
	if err := steps.check(ctx); err != nil {
		return nil, err
	}
	// Keys are made at their first use. After move nothing may fail any more that a request could wait for.
	if err := x.prepareKeys(ctx); err != nil {
		return nil, err
	}
	if steps.move != nil {
		if err := steps.move(ctx); err != nil {
			return nil, err
		}
	}
	return x.mint(ctx)
}

// steps returns those of the grant type. What the server lacks is unsupported_grant_type; what the client lacks is
// unauthorized_client, before anything about the grant itself (RFC 6749 §5.2).
func (x *exchange) steps() (steps, error) {
	grantType := x.req.GrantType
	if grantLabel(grantType) != grantType {
		return steps{}, protocol.Refuse("unsupported_grant_type", protocol.ReasonBadRequest, "The server does not support this grant type.")
	}
	if !x.client.Allows(grantType) {
		return steps{}, protocol.Refuse("unauthorized_client", protocol.ReasonBadRequest, "The client is not registered for the grant type %s.", grantType)
	}
	switch grantType {
	case GrantPassword:
		g := &passwordGrant{exchange: x}
		return steps{g.load, g.check, g.move}, nil
	case GrantRefreshToken:
		g := &refreshGrant{exchange: x}
		return steps{g.load, g.check, g.move}, nil
	case GrantAuthorizationCode:
		g := &codeGrant{exchange: x}
		return steps{g.load, g.check, g.move}, nil
	default:
		g := &clientCredentialsGrant{exchange: x}
		return steps{load: g.load, check: g.check}, nil
	}
}

// begin makes the session that a login or a code begins, and its first refresh token. Neither is stored yet.
func (x *exchange) begin(ctx context.Context, userID, userEpoch int64, audience []string) {
	info := request.From(ctx)
	g := &storage.Grant{
		ID: storage.NewID(x.now), ClientID: x.client.ID, UserID: userID,
		Scope: x.scope, Audience: audience,
		UserEpoch: userEpoch, ClientEpoch: x.client.AuthEpoch,
		AuthTime: x.now, CreatedAt: x.now, LastUsedAt: x.now, ExpiresAt: x.now.Add(x.policy.Absolute),
		UserAgent: info.UserAgent,
		Current:   NewTokenID(),
	}
	if info.Address.IsValid() {
		g.Address = info.Address.String()
	}
	x.grant = g
	if !x.policy.SingleToken && x.client.Allows(GrantRefreshToken) {
		x.next = &RefreshToken{
			Grant: g.ID, ID: g.Current, Client: TagOf(x.client.ID),
			IssuedAt: x.now.Truncate(time.Second), ExpiresAt: x.policy.refreshExpiry(g, x.now),
		}
	}
}

// accessFormat returns the format of the access token, which may differ from that of the refresh token.
func (x *exchange) accessFormat() Format {
	switch {
	case x.policy.AccessFormat != clients.FormatSimpleJWT || x.clientOnly():
		return x.native
	case x.format != x.native:
		return x.format
	}
	return x.formats[x.policy.AccessFormat]
}

// clientOnly reports whether the tokens are for the client itself: no user, no session (RFC 6749 §4.4).
func (x *exchange) clientOnly() bool { return x.req.GrantType == GrantClientCredentials }

// wantsIDToken reports whether the answer has an ID token (OpenID Connect Core §3.1.3.3, §12.2).
func (x *exchange) wantsIDToken() bool {
	return !x.clientOnly() && slices.Contains(x.scope, claims.ScopeOpenID)
}

// prepareKeys makes sure that the keys are there that mint signs with.
func (x *exchange) prepareKeys(ctx context.Context) error {
	if x.accessFormat() == x.native && x.policy.AccessFormat != clients.FormatOpaque {
		if _, err := x.keys.Signer(ctx, x.policy.AccessAlg); err != nil {
			return fmt.Errorf("find the key of access tokens: %w", err)
		}
	}
	if x.wantsIDToken() {
		if _, err := x.keys.Signer(ctx, idTokenAlg(x.client)); err != nil {
			return fmt.Errorf("find the key of ID tokens: %w", err)
		}
	}
	return nil
}

// mint writes the tokens of the answer.
func (x *exchange) mint(ctx context.Context) (*Response, error) {
	c := &Content{
		Client: x.client, Policy: x.policy, Grant: x.grant, User: x.user, Presented: x.presented, Next: x.next,
		Scope: x.scope, Audience: x.audience, IssuedAt: x.now, ExpiresAt: x.policy.accessExpiry(x.grant, x.now),
	}
	if x.grant != nil {
		c.RefreshUntil = x.policy.refreshExpiry(x.grant, x.now)
	}
	access, err := x.accessFormat().WriteAccess(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("write an access token: %w", err)
	}
	now := x.now.Truncate(time.Second)
	resp := &Response{
		AccessToken: storage.Secret(access), Scope: joinScope(x.scope),
		ExpiresIn: int64(c.ExpiresAt.Sub(now) / time.Second),
	}
	if x.grant != nil {
		resp.GrantID = x.grant.ID
	}
	if x.next != nil {
		resp.RefreshExpiresIn = int64(x.next.ExpiresAt.Sub(now) / time.Second)
		if resp.RefreshToken, err = x.format.WriteRefresh(ctx, c); err != nil {
			return nil, fmt.Errorf("write a refresh token: %w", err)
		}
	}
	if x.wantsIDToken() {
		if resp.IDToken, err = x.writeIDToken(ctx, access); err != nil {
			return nil, fmt.Errorf("write an ID token: %w", err)
		}
	}
	return resp, nil
}
