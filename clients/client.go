package clients

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
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
	Disabled  bool
	AuthEpoch int64
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
	// Origin says who brought the client; it is never empty.
	Origin storage.ClientOrigin
	// ExpiresAt, when not zero, is when the client is removed unless a user has logged in to it by then.
	ExpiresAt time.Time

	secretMAC storage.Digest
	previous  *previousSecret // nil when there is none
	scopes    []string        // Metadata.Scope split
	rotations uint64          // of the registration access token
}

// previousSecret is the secret before the present one; few clients have one.
type previousSecret struct {
	mac       storage.Digest
	expiresAt time.Time
}

// Metadata are the client metadata of RFC 7591 §2 and OpenID Connect Dynamic Client Registration 1.0 §2 that Latchkey keeps.
type Metadata struct {
	ClientName              string          `json:"client_name,omitempty"`
	ClientURI               string          `json:"client_uri,omitempty"`
	LogoURI                 string          `json:"logo_uri,omitempty"`
	PolicyURI               string          `json:"policy_uri,omitempty"`
	TosURI                  string          `json:"tos_uri,omitempty"`
	Contacts                []string        `json:"contacts,omitempty"`
	ApplicationType         string          `json:"application_type,omitempty"` // web (default), native
	RedirectURIs            []string        `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs  []string        `json:"post_logout_redirect_uris,omitempty"`
	GrantTypes              []string        `json:"grant_types,omitempty"`
	ResponseTypes           []string        `json:"response_types,omitempty"`
	Scope                   string          `json:"scope,omitempty"`                      // space separated
	TokenEndpointAuthMethod string          `json:"token_endpoint_auth_method,omitempty"` // none = public
	JWKSURI                 string          `json:"jwks_uri,omitempty"`
	JWKS                    json.RawMessage `json:"jwks,omitempty"`
	SoftwareID              string          `json:"software_id,omitempty"`
	SoftwareVersion         string          `json:"software_version,omitempty"`

	// TokenEndpointAuthSigningAlg is the one algorithm that the client signs its assertions with: ES256, EdDSA, RS256 or
	// PS256; empty means any of these (OpenID Connect Registration §2).
	TokenEndpointAuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`
	// IDTokenSignedResponseAlg is RS256 (default), ES256 or EdDSA; empty only where no id_token is made.
	IDTokenSignedResponseAlg string `json:"id_token_signed_response_alg,omitempty"`
	// UserinfoSignedResponseAlg is empty for JSON, else as for the id_token.
	UserinfoSignedResponseAlg string `json:"userinfo_signed_response_alg,omitempty"`
	// DefaultMaxAge, in seconds, is the max_age of requests that have none; nil = no bound.
	DefaultMaxAge   *int64 `json:"default_max_age,omitempty"`
	RequireAuthTime bool   `json:"require_auth_time,omitempty"`
	// RequirePushedAuthorizationRequests is RFC 9126 §6.
	RequirePushedAuthorizationRequests bool `json:"require_pushed_authorization_requests,omitempty"`
	// BackchannelLogoutURI and BackchannelLogoutSessionRequired are OpenID Connect Back-Channel Logout 1.0 §2.2.
	BackchannelLogoutURI             string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSessionRequired bool   `json:"backchannel_logout_session_required,omitempty"`
}

// Policy are Latchkey's own settings of a client; only an operator sets them.
// A zero value means the server's default.
type Policy struct {
	Rotation            Rotation  `json:"rotation,omitempty"`
	RotationOverlap     *Duration `json:"rotation_overlap,omitempty"`
	OnReuse             OnReuse   `json:"on_reuse,omitempty"`
	AccessTokenTTL      Duration  `json:"access_token_ttl,omitempty"`
	RefreshTokenTTL     Duration  `json:"refresh_token_ttl,omitempty"`
	RefreshTokenIdleTTL Duration  `json:"refresh_token_idle_ttl,omitempty"`
	// AccessTokenFormat is jwt (RFC 9068), opaque, or simplejwt (the claims and key of the compatibility routes).
	AccessTokenFormat AccessTokenFormat `json:"access_token_format,omitempty"`
	// AccessTokenSigningAlg is ES256, EdDSA or RS256, for the format jwt.
	AccessTokenSigningAlg string `json:"access_token_signed_response_alg,omitempty"`
	// Resources are the audiences that the client may ask for and whose tokens it may introspect.
	Resources     []string `json:"resources,omitempty"`
	IntrospectAll bool     `json:"introspect_all,omitempty"`
	FirstParty    bool     `json:"first_party,omitempty"`
	// Verified says that the operator answers for a client that somebody else registered; see [Client.Verified].
	Verified bool `json:"verified,omitempty"`
}

// Rotation is a refresh-token policy; see docs/rotation.md.
type Rotation string

// The rotation policies.
const (
	RotationStrict    Rotation = "strict"
	RotationConfirmed Rotation = "confirmed"
	RotationReissue   Rotation = "reissue"
	RotationOff       Rotation = "off"
)

// OnReuse is what a retired refresh token does to its grant.
type OnReuse string

// The verdicts on reuse.
const (
	OnReuseRevoke OnReuse = "revoke"
	OnReuseReject OnReuse = "reject"
)

// AccessTokenFormat is how access tokens are written.
type AccessTokenFormat string

// The formats.
const (
	FormatJWT       AccessTokenFormat = "jwt"
	FormatOpaque    AccessTokenFormat = "opaque"
	FormatSimpleJWT AccessTokenFormat = "simplejwt"
)

// SimpleJWTID is the built-in first-party public client behind the simplejwt routes.
const SimpleJWTID = "simplejwt"

// Public reports whether the client has no credentials (RFC 6749 §2.1).
func (c *Client) Public() bool { return c.TokenEndpointAuthMethod == AuthNone }

// hasSecret reports whether the client authenticates with a secret that we gave it.
func (m *Metadata) hasSecret() bool {
	return m.TokenEndpointAuthMethod == AuthBasic || m.TokenEndpointAuthMethod == AuthPost
}

// Scopes are the scopes that the client may ask for. Never change the list.
func (c *Client) Scopes() []string { return c.scopes }

// Allows reports whether the client is registered for a grant type.
func (c *Client) Allows(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// Verified reports whether an operator answers for the client: one that an operator added, or one that registered itself,
// by RFC 7591 or a metadata document, and that an operator has set Policy.Verified of.
func (c *Client) Verified() bool { return c.Origin == storage.OriginOperator || c.Policy.Verified }

// Unverified is the opposite of Verified: consent is always asked, and nothing that the client says of itself is believed.
func (c *Client) Unverified() bool { return !c.Verified() }

// Fingerprint is of what a consent was given to: the redirect URIs. When it changes the consent is void.
func (c *Client) Fingerprint() storage.Digest {
	h := sha256.New()
	for _, uri := range slices.Sorted(slices.Values(c.RedirectURIs)) {
		h.Write([]byte(uri))
		h.Write([]byte{0}) // no URI has one
	}
	var sum storage.Digest
	h.Sum(sum[:0])
	return sum
}

// HasSecret reports whether there is a secret that the client can present.
func (c *Client) HasSecret() bool { return !c.secretMAC.IsZero() }

// document is how the metadata and the policy of a client are kept: one JSON object.
type document struct {
	Metadata
	Policy
	// Rotations counts the registration access tokens that the client has had before the present one.
	Rotations uint64 `json:"registration_token_rotations,omitempty"`
}

func (d document) encode() (json.RawMessage, error) { return json.Marshal(d) }

// document is what of a client is kept as JSON.
func (c *Client) document() document { return document{c.Metadata, c.Policy, c.rotations} }

// fromRow makes a client of its row. Members that this version does not know are left out.
func fromRow(row *storage.Client) (*Client, error) {
	var d document
	if err := json.Unmarshal(row.Metadata, &d); err != nil {
		return nil, fmt.Errorf("metadata of client %q: %w", row.ID, err)
	}
	if d.IDTokenSignedResponseAlg == "" && slices.Contains(d.GrantTypes, GrantAuthorizationCode) {
		d.IDTokenSignedResponseAlg = algRS256 // a release before this one stored none
	}
	if len(d.JWKS) > 0 {
		if set, err := publicKeySet(d.JWKS); err == nil {
			d.JWKS = set // Postgres orders the members anew
		}
	}
	c := &Client{
		ID: row.ID, Metadata: d.Metadata, Policy: d.Policy,
		Disabled: row.Disabled, AuthEpoch: row.AuthEpoch, Version: row.Version,
		CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		Origin: row.Origin, ExpiresAt: row.ExpiresAt,
		secretMAC: row.SecretMAC, rotations: d.Rotations,
	}
	if c.Origin == "" {
		c.Origin = storage.OriginOperator
	}
	if !row.PreviousSecretMAC.IsZero() {
		c.previous = &previousSecret{row.PreviousSecretMAC, row.PreviousSecretExpiresAt}
	}
	c.scopes = splitScope(d.Scope)
	return c, nil
}

func splitScope(scope string) []string {
	if scope == "" {
		return nil
	}
	return strings.Split(scope, " ")
}
