package clients

import (
	"encoding/json"
	"time"

	"latchkey/storage"
)

// Client is a registered application, ready for use. It is shared between requests: never change one.
type Client struct {
	ID string
	Metadata
	Policy
	Disabled  bool
	AuthEpoch int64
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time

	secretMAC               storage.Digest
	previousSecretMAC       storage.Digest
	previousSecretExpiresAt time.Time
	scopes                  []string // Metadata.Scope split
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
func (c *Client) Public() bool { return c.TokenEndpointAuthMethod == "none" }

// Scopes are the scopes that the client may ask for.
func (c *Client) Scopes() []string { return c.scopes }
