package clients

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/storage"
)

// Client is a registered application, ready for use. It is shared between requests: never change one.
type Client struct {
	// ID is the client_id.
	ID string
	Metadata
	Policy
	History
	Disabled  bool
	AuthEpoch int64
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
	// Origin is how the client was registered; it is never empty.
	Origin storage.ClientOrigin
	// ExpiresAt, if not zero, is when the client is removed unless a user has logged in to it by then.
	ExpiresAt time.Time

	// The MACs of the client's secrets; zero means that there is none.
	SecretMAC, PreviousSecretMAC storage.Digest
	PreviousSecretExpiresAt      time.Time

	scopes []string // Metadata.Scope split
}

// FromRow returns the client that a row describes. Metadata that this release does not know are ignored.
func FromRow(row *storage.Client) (*Client, error) {
	var reg Registration
	if err := json.Unmarshal(row.Metadata, &reg); err != nil {
		return nil, fmt.Errorf("metadata of client %q: %w", row.ID, err)
	}
	if reg.IDTokenSignedResponseAlg == "" && slices.Contains(reg.GrantTypes, GrantAuthorizationCode) {
		reg.IDTokenSignedResponseAlg = algRS256 // earlier releases stored none
	}
	if len(reg.JWKS) > 0 {
		if set, err := publicKeySet(reg.JWKS); err == nil {
			reg.JWKS = set // Postgres reorders the members
		}
	}
	c := &Client{
		ID: row.ID, Policy: reg.Policy, History: reg.History, Disabled: row.Disabled, AuthEpoch: row.AuthEpoch, Version: row.Version,
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Origin: row.Origin, ExpiresAt: row.ExpiresAt,
		SecretMAC: row.SecretMAC, PreviousSecretMAC: row.PreviousSecretMAC, PreviousSecretExpiresAt: row.PreviousSecretExpiresAt,
	}
	if c.Origin == "" {
		c.Origin = storage.OriginOperator
	}
	return c.WithMetadata(reg.Metadata), nil
}

// WithMetadata returns a copy of the client that has other metadata.
func (c *Client) WithMetadata(m Metadata) *Client {
	with := *c
	with.Metadata, with.scopes = m, nil
	if m.Scope != "" {
		with.scopes = strings.Split(m.Scope, " ")
	}
	return &with
}

// Registration returns what the client is registered with.
func (c *Client) Registration() Registration {
	return Registration{ID: c.ID, Metadata: c.Metadata, Policy: c.Policy, History: c.History, Version: c.Version}
}

// Response returns the client as an operator sees it. secret is empty when there is none to show.
func (c *Client) Response(secret storage.Secret) RegistrationResponse {
	shown := RegistrationResponse{
		ClientID: c.ID, ClientSecret: secret.Reveal(), ClientIDIssuedAt: c.CreatedAt.Unix(),
		Metadata: c.Metadata, Policy: c.Policy, Disabled: c.Disabled, TrustWithdrawnAt: c.TrustWithdrawnAt,
	}
	if secret != "" {
		shown.ClientSecretExpiresAt = new(int64)
	}
	return shown
}

// ClaimsInIDToken reports whether ID tokens have the claims of the granted scopes.
func (c *Client) ClaimsInIDToken() bool { return c.IDTokenClaims == nil || *c.IDTokenClaims }

// IDTokenAtRefresh reports whether the answer to a refresh has an ID token (OpenID Connect Core §12.2).
func (c *Client) IDTokenAtRefresh() bool { return c.IDTokenRefresh == nil || *c.IDTokenRefresh }

// Public reports whether the client has no credentials (RFC 6749 §2.1).
func (c *Client) Public() bool { return c.TokenEndpointAuthMethod == AuthNone }

// Scopes returns the scopes that the client may request. Never change the list.
func (c *Client) Scopes() []string { return c.scopes }

// Allows reports whether the client is registered for a grant type.
func (c *Client) Allows(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// Verified reports whether an operator vouches for the client: one that an operator added, or one that registered itself,
// dynamically or by a metadata document, and for which an operator has set Policy.Verified.
func (c *Client) Verified() bool { return c.Origin == storage.OriginOperator || c.Policy.Verified }

// Unverified is the opposite of Verified: consent is always asked for, and the client's claims about itself are not trusted.
func (c *Client) Unverified() bool { return !c.Verified() }

// Fingerprint returns a hash of what a user consents to: the redirect URIs, and how often the client has described itself anew. When it
// changes, the consent is void; a client that returns to an earlier description does not bring back what was allowed to it.
func (c *Client) Fingerprint() storage.Digest {
	h := sha256.New()
	for _, uri := range slices.Sorted(slices.Values(c.RedirectURIs)) {
		h.Write([]byte(uri))
		h.Write([]byte{0}) // no URI contains one
	}
	if c.DescriptionChanges > 0 {
		fmt.Fprint(h, c.DescriptionChanges)
	}
	var sum storage.Digest
	h.Sum(sum[:0])
	return sum
}

// HasSecret reports whether the client has a secret to authenticate with.
func (c *Client) HasSecret() bool { return !c.SecretMAC.IsZero() }

// MatchRedirectURI reports whether the client registered uri: the same bytes (RFC 9700 §2.1), except that
// the port of an http URI on a loopback host is free (RFC 8252 §7.3).
func (c *Client) MatchRedirectURI(uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	host, rest, ok := cutLoopback(uri)
	if !ok {
		return false
	}
	for _, registered := range c.RedirectURIs {
		if h, r, ok := cutLoopback(registered); ok && h == host && r == rest {
			return true
		}
	}
	return false
}

// TokenFormat returns the format of the client's refresh tokens: FormatSimpleJWT for the built-in client, empty for all others.
func (c *Client) TokenFormat() AccessTokenFormat {
	if c.ID == SimpleJWTID {
		return FormatSimpleJWT
	}
	return ""
}

// Subject returns the sub of tokens that the client gets for itself: its client_id (RFC 9068 §2.2), or that after "client:" where it looks
// like the subject of a user. An API must never take a client for a user (RFC 9700 §4.15).
func (c *Client) Subject() string {
	if looksLikeUser(c.ID) {
		return subjectPrefix + c.ID
	}
	return c.ID
}

// NearestRedirectURI returns the registered redirect URI that has most in common with uri: the longest beginning and end. It is for
// operators, who compare the two.
func (c *Client) NearestRedirectURI(uri string) string { return nearest(c.RedirectURIs, uri) }

// NearestPostLogoutRedirectURI is NearestRedirectURI for those after a logout.
func (c *Client) NearestPostLogoutRedirectURI(uri string) string {
	return nearest(c.PostLogoutRedirectURIs, uri)
}

// WebOnly reports whether all redirect URIs of the client are https and lead to other hosts than the user's own computer: only who has
// the host gets an answer there.
func (c *Client) WebOnly() bool {
	return len(c.RedirectURIs) > 0 && !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool {
		u, err := url.Parse(uri)
		return err != nil || u.Scheme != "https" || isLoopbackHost(u.Hostname())
	})
}

// MayAdminister reports whether the client may ask for access to the API for operators: one that the operator added, and registered for
// one of its scopes. What a client says of itself never opens it.
func (c *Client) MayAdminister() bool {
	return c.Origin == storage.OriginOperator && slices.ContainsFunc(c.scopes, IsAdminScope)
}

// Provisions reports whether the client is there for SCIM alone. Its access tokens are for the API for operators then, also where it can't name
// that: Entra ID sends no parameter resource.
func (c *Client) Provisions() bool {
	return c.MayAdminister() && !slices.ContainsFunc(c.scopes, func(scope string) bool { return scope != ScopeSCIM })
}
