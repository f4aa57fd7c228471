package token

import (
	"time"

	"latchkey/storage"
)

// Credentials are how a client says who it is, as the route read them.
type Credentials struct {
	// Method is client_secret_basic, client_secret_post, private_key_jwt or none; empty when the request named no client at all.
	Method string
	ID     string
	Secret storage.Secret
	// Assertion is for private_key_jwt.
	Assertion storage.Secret
}

// Request asks for tokens (RFC 6749 §4.1.3, §4.3, §4.4, §6).
type Request struct {
	Client    Credentials
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

	// Sliding asks for the sliding token of simplejwt, which is access token and refresh token in one: a password gets one,
	// one given as RefreshToken is written anew. It is the Response's AccessToken. Only the built-in client has them.
	Sliding bool

	// NoLastLogin leaves the user's last login as it is (simplejwt's UPDATE_LAST_LOGIN = False).
	NoLastLogin bool
}

// Response are the tokens (RFC 6749 §5.1).
type Response struct {
	AccessToken  storage.Secret
	RefreshToken storage.Secret // empty when none is issued
	IDToken      storage.Secret // empty when none is issued
	// ExpiresIn is the access token's whole lifetime in seconds.
	ExpiresIn int64
	// RefreshExpiresIn is what is left of the refresh token's life in seconds; zero when none is issued.
	RefreshExpiresIn int64
	// Scope is what the access token carries, space separated.
	Scope string
	// GrantID is the session; zero for client_credentials.
	GrantID storage.ID
}

// RevokeRequest asks to end a token (RFC 7009 §2.1). There is no token_type_hint in it: a token tells its type itself.
type RevokeRequest struct {
	Client Credentials
	Token  storage.Secret
}

// IntrospectRequest asks about a token (RFC 7662 §2.1).
type IntrospectRequest struct {
	Client Credentials
	Token  storage.Secret
}

// Introspection is the answer to an IntrospectRequest. When Active is false everything else is zero: RFC 7662 §2.2.
type Introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"` // "Bearer", or "refresh_token" for a refresh token
	Expires   int64    `json:"exp,omitempty"`
	IssuedAt  int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  []string `json:"aud,omitempty"`
	Issuer    string   `json:"iss,omitempty"`
	JTI       string   `json:"jti,omitempty"`
	SessionID string   `json:"sid,omitempty"`
}

// Lifetimes are a deployment's defaults; a client's own come first.
type Lifetimes struct {
	AccessToken      time.Duration
	RefreshToken     time.Duration // absolute end of a grant
	RefreshTokenIdle time.Duration // end of a grant that nobody refreshes
}
