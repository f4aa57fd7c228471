package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"latchkey/clients"
	"latchkey/storage"
)

// Format reads and writes tokens. The service has its own (see native.go); server/simplejwt has that of
// djangorestframework-simplejwt.
type Format interface {
	// Policy returns what holds for a client: the deployment's policy, with what the format changes of it, under the client's own
	// settings (see [Policy.Of]).
	Policy(deployment Policy, c *clients.Client) *Policy
	// ReadRefresh returns an authentic refresh token. The error is a *protocol.Error or an outage.
	ReadRefresh(ctx context.Context, raw storage.Secret, now time.Time) (*RefreshToken, error)
	// WriteRefresh writes c.Next.
	WriteRefresh(ctx context.Context, c *Content) (storage.Secret, error)
	// WriteAccess writes an access token.
	WriteAccess(ctx context.Context, c *Content) (string, error)
	// Read returns an authentic token of any kind, for introspection and revocation. The error is a *protocol.Error or an outage.
	Read(ctx context.Context, raw storage.Secret, now time.Time) (*Token, error)
}

// Asking is a Format whose tokens may say what another system knows of the user. It is asked before anything changes.
type Asking interface {
	Format
	// Asks reports whether there is such a system.
	Asks() bool
	// Ask returns what it knows of a user, for [Content]; login says that a session begins. The error is an outage.
	Ask(ctx context.Context, subject string, login bool) (any, error)
}

// Content is what the tokens of one answer say.
type Content struct {
	Client *clients.Client
	Policy *Policy
	// Grant and User are nil for the client_credentials grant. The user is as it was read with this request.
	Grant *storage.Grant
	User  *storage.User
	// Presented is the refresh token of the request; nil at the beginning of a session.
	Presented *RefreshToken
	// Next is the refresh token that is issued; nil when there is none.
	Next            *RefreshToken
	Scope, Audience []string
	// Nonce is that of the authorization request, for the ID token.
	Nonce string
	// Key is the thumbprint of the key that the access token is bound to; empty for a bearer token. Only the service's own format binds.
	Key string
	// Site is what Ask returned, for a format that asks.
	Site     any
	IssuedAt time.Time
	// ExpiresAt is the end of the access token, RefreshUntil that of a refresh token issued now.
	ExpiresAt, RefreshUntil time.Time
}

// RefreshToken is the content of a refresh token, whichever form it has.
type RefreshToken struct {
	Grant      storage.ID
	ID         storage.TokenID
	Parent     storage.TokenID // zero at generation 0
	Generation int64
	IssuedAt   time.Time // whole seconds; zero when the token does not say
	ExpiresAt  time.Time // whole seconds
	// Client is a tag of the client that it was issued to, so that another one's is refused without a look at the database.
	Client ClientTag

	// Sealed is set for a token of this server, as its MAC or its seal shows, and for one that was adopted, which its session is named
	// after: verdicts are on such tokens only. CurrentKey is set if this server has made it with the current key.
	Sealed, CurrentKey bool
	// InFlight is set for a token without a seal that another issuer may have written anew from one of this server's.
	InFlight bool
	// Rewritable is set while another issuer may write the token anew.
	Rewritable bool
	// JTI is set where tokens are revoked by themselves, as Django does: it must not be among those.
	JTI string
	// Subjects are the ids of users that the token says; none for tokens that say nothing about the user.
	Subjects []string
	// OfUser reports whether the token says that it is the user's. It is nil for tokens that say nothing about the user.
	OfUser func(u *storage.User) bool

	// Source is the token in the form of the format that read it, for that format's own use.
	Source any
	// Adopt makes the session of a token that another issuer wrote, and returns it; of parallel first uses one makes it, all find it.
	// It is nil for tokens of this server. The error is a *protocol.Error or an outage.
	Adopt func(ctx context.Context, c *clients.Client, p *Policy, now time.Time) (*storage.LiveGrant, error)
}

// ClientTag identifies a client inside tokens.
type ClientTag [8]byte

// TagOf returns the tag of a client.
func TagOf(clientID string) ClientTag {
	sum := sha256.Sum256([]byte(clientID))
	return ClientTag(sum[:8])
}

// The kinds of tokens.
const (
	KindAccess  = "access"
	KindRefresh = "refresh"
	KindSliding = "sliding" // both
)

// Token is any token that was read, in the terms of RFC 7662.
type Token struct {
	Kind     string
	Grant    storage.ID // zero for client_credentials, and for tokens of another issuer that name no session
	ClientID string
	JTI      string
	Subject  string
	Scope    string
	Audience []string
	// IssuedAt and ExpiresAt are in seconds since 1970.
	IssuedAt, ExpiresAt int64
	ClientEpoch         int64 // see accessClaims
	// Key is the thumbprint of the key that an access token is bound to; empty for a bearer token.
	Key string

	Refresh *RefreshToken // nil for access tokens
	// Owner returns the user of a token that another issuer wrote while the token is good, else nil. It is nil for tokens of this
	// server.
	Owner func(ctx context.Context) (*storage.User, error)
}

// NewTokenID draws the id of a token.
func NewTokenID() (id storage.TokenID) {
	rand.Read(id[:])
	return id
}
