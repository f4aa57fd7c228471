package token

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/clientauth"
	"latchkey/server/dpop"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

// Request is a token request (RFC 6749 §4.1.3, §4.3, §4.4, §6, RFC 8628 §3.4).
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

	// DeviceCode is for the device_code grant (RFC 8628 §3.4).
	DeviceCode storage.Secret

	// Scope are the tokens of the scope parameter. Without any the parameter counts as absent.
	Scope []string
	// Resource are the resource parameters (RFC 8707 §2).
	Resource []string

	// Proof is the proof of possession that the request has, if any (RFC 9449).
	Proof dpop.Presented

	// Format is that of the tokens; nil means the client's own.
	Format Format
	// ExactUsername compares the username as it is; else it is normalised (see [users.Service.Authenticate]).
	ExactUsername bool
	// KeepLastLogin leaves the user's last login as it is.
	KeepLastLogin bool
}

// The token types of answers (RFC 6750 §6.1.1, RFC 9449 §5).
const (
	typeBearer = "Bearer"
	typeDPoP   = "DPoP"
)

// Response is a token response (RFC 6749 §5.1).
type Response struct {
	AccessToken  storage.Secret
	TokenType    string         // "Bearer", or "DPoP" for a token that is bound to the key of the request's proof
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
	// User is the user of the session, Site what another system knows of them (see [Asking]).
	User *storage.User
	Site any
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
	proof           *dpop.Proof
	// site is what another system knows of the user whose subject is asked.
	site  any
	asked string
}

// askedScope returns the scope parameter; without one all that the client is registered for (docs/decisions/0005).
func (x *exchange) askedScope() []string {
	if len(x.req.Scope) == 0 {
		return x.client.Scopes()
	}
	return x.req.Scope
}

// begin makes the session that a login or a code begins, and its first refresh token. Neither is stored yet.
func (x *exchange) begin(ctx context.Context, userID, userEpoch int64, audience []string) {
	info := request.From(ctx)
	g := &storage.Grant{
		ID: storage.NewID(x.now), ClientID: x.client.ID, UserID: userID,
		Scope: x.scope, Audience: audience,
		UserEpoch: userEpoch, ClientEpoch: x.client.AuthEpoch,
		AuthTime: x.now, CreatedAt: x.now, LastUsedAt: x.now, ExpiresAt: x.now.Add(x.policy.Absolute),
		Address: info.AddressText(), UserAgent: info.UserAgent,
		Current: NewTokenID(),
	}
	g.Sharing.Network = x.network(ctx, g.ID)
	if x.client.Public() {
		g.DPoPKey = x.key()
	}
	x.grant = g
	if !x.policy.SingleToken && x.client.Allows(clients.GrantRefreshToken) {
		x.next = &RefreshToken{
			Grant: g.ID, ID: g.Current, Client: TagOf(x.client.ID),
			Sealed: true, CurrentKey: true,
			IssuedAt: x.now.Truncate(time.Second), ExpiresAt: x.policy.refreshExpiry(g, x.now),
		}
		if x.policy.Rotation != clients.RotationReissue { // later its tokens look like hoarded ones
			g.CurrentExpiresAt = x.next.ExpiresAt
		}
	}
}

// network returns a keyed hash of the client's network, of which a grant keeps one: neither the network nor that two grants have the
// same one can be read from the database. It is zero if the network is not known.
func (s *Service) network(ctx context.Context, grant storage.ID) int64 {
	wide, ok := request.From(ctx).WideNetwork()
	if !ok {
		return 0
	}
	sum := s.networkKey.Sum(grant[:], []byte(wide))
	return int64(binary.BigEndian.Uint64(sum[:8])) | 1
}

// approval is what a user approved in a browser, and what is then redeemed: an authorization code or a device code.
type approval struct {
	userID, userEpoch, clientEpoch int64
	audience, offered              []string
	authTime                       time.Time
	amr                            []string
}

// beginApproved is begin for an approval. The session has all that was granted, since a refresh may ask for another part of it; if that
// names no resource, it has the one that the request names first.
func (x *exchange) beginApproved(ctx context.Context, a approval) {
	if len(a.audience) == 0 {
		a.audience = x.audience
	}
	x.begin(ctx, a.userID, a.userEpoch, a.audience)
	if len(a.audience) == 0 {
		x.grant.Offered = a.offered
	}
	x.grant.ClientEpoch, x.grant.AuthTime, x.grant.AMR = a.clientEpoch, a.authTime, a.amr
	if x.next == nil {
		x.grant.ExpiresAt = x.now.Add(x.policy.AccessTTL) // nothing can be issued for it after that
	}
}

// accessFormat returns the format of the access token, which may differ from that of the refresh token.
func (x *exchange) accessFormat() Format {
	named, ok := x.formats[x.policy.AccessFormat]
	switch {
	case !ok || x.clientOnly(): // jwt and opaque are the service's own
		return x.native
	case x.format != x.native:
		return x.format
	}
	return named
}

// asks returns the format that asks another system about the user, or nil.
func (x *exchange) asks() Asking {
	if f, ok := x.accessFormat().(Asking); ok && f.Asks() {
		return f
	}
	return nil
}

// ask asks another system about a user, once.
func (x *exchange) ask(ctx context.Context, subject string) (err error) {
	f := x.asks()
	if f == nil || x.asked == subject {
		return nil
	}
	x.asked = subject
	x.site, err = f.Ask(ctx, subject, x.presented == nil)
	return err
}

// clientOnly reports whether the tokens are for the client itself: no user, no session (RFC 6749 §4.4).
func (x *exchange) clientOnly() bool { return x.req.GrantType == clients.GrantClientCredentials }

// wantsIDToken reports whether the answer has an ID token (OpenID Connect Core §3.1.3.3, §12.2).
func (x *exchange) wantsIDToken() bool {
	return !x.clientOnly() && slices.Contains(x.scope, claims.ScopeOpenID) &&
		(x.req.GrantType != clients.GrantRefreshToken || x.client.IDTokenAtRefresh())
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
	user := seenBy(x.client, x.user)
	c := &Content{
		Client: x.client, Policy: x.policy, Grant: x.grant, User: user, Presented: x.presented, Next: x.next,
		Scope: x.scope, Audience: x.audience, Nonce: x.nonce, Key: x.key(), Site: x.site, IssuedAt: x.now, ExpiresAt: x.policy.accessExpiry(x.grant, x.now),
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
		AccessToken: storage.Secret(access), TokenType: typeBearer, Scope: joinScope(x.scope),
		ExpiresIn: int64(c.ExpiresAt.Sub(now) / time.Second), User: user, Site: x.site,
	}
	if c.Key != "" {
		resp.TokenType = typeDPoP
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
		if resp.IDToken, err = x.writeIDToken(ctx, c, access); err != nil {
			return nil, fmt.Errorf("write an ID token: %w", err)
		}
	}
	return resp, nil
}
