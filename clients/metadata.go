package clients

import "encoding/json"

// The table of everything that a client can be registered with: the fields of Metadata and Policy, one a line. Their tags
// drive the JSON that is read, stored and shown, the flags of the command, validation and the table in docs/registration.md;
// see [Field] for what the tags mean. TestFields proves it for each field.

// Metadata is the client metadata of RFC 7591 §2, OpenID Connect Dynamic Client Registration 1.0 §2, RFC 9126 §6 and OpenID
// Connect Back-Channel Logout 1.0 §2.2 that Latchkey stores.
type Metadata struct {
	ClientName                         string          `json:"client_name,omitempty" check:"text" placeholder:"NAME" help:"Name shown to users."`
	ClientURI                          string          `json:"client_uri,omitempty" check:"web_uri" placeholder:"URL" help:"Home page."`
	LogoURI                            string          `json:"logo_uri,omitempty" check:"web_uri" placeholder:"URL" help:"Logo."`
	PolicyURI                          string          `json:"policy_uri,omitempty" check:"web_uri" placeholder:"URL" help:"Privacy policy."`
	TosURI                             string          `json:"tos_uri,omitempty" check:"web_uri" placeholder:"URL" help:"Terms of service."`
	Contacts                           []string        `json:"contacts,omitempty" trust:"keeps" check:"text" placeholder:"TEXT" help:"Contact address."`
	ApplicationType                    string          `json:"application_type,omitempty" enum:"web,native" placeholder:"TYPE" help:"Whether it runs on a web server or on the user's device."`
	RedirectURIs                       []string        `json:"redirect_uris,omitempty" check:"redirect_uri" placeholder:"URI" help:"Redirect URI, compared byte for byte."`
	PostLogoutRedirectURIs             []string        `json:"post_logout_redirect_uris,omitempty" check:"redirect_uri" placeholder:"URI" help:"Where users may be sent after logging out."`
	GrantTypes                         []string        `json:"grant_types,omitempty" enum:"authorization_code,refresh_token,client_credentials,password,urn:ietf:params:oauth:grant-type:device_code" placeholder:"TYPE" help:"Allowed grant type."`
	ResponseTypes                      []string        `json:"response_types,omitempty" enum:"code" placeholder:"TYPE" help:"Allowed response type."`
	Scope                              string          `json:"scope,omitempty" check:"scope" placeholder:"SCOPES" help:"Scopes that may be requested, space separated."`
	TokenEndpointAuthMethod            string          `json:"token_endpoint_auth_method,omitempty" enum:"client_secret_basic,client_secret_post,private_key_jwt,none" placeholder:"METHOD" help:"How the client authenticates; none for a public client."`
	TokenEndpointAuthSigningAlg        string          `json:"token_endpoint_auth_signing_alg,omitempty" enum:"ES256,EdDSA,Ed25519,RS256,PS256" placeholder:"ALG" help:"The only algorithm allowed for private_key_jwt."`
	RequestObjectSigningAlg            string          `json:"request_object_signing_alg,omitempty" enum:"ES256,EdDSA,Ed25519,RS256,PS256" placeholder:"ALG" help:"The only algorithm allowed for request objects (RFC 9101)."`
	RequireSignedRequestObject         bool            `json:"require_signed_request_object,omitempty" trust:"keeps" help:"Authorization requests must be signed request objects (RFC 9101)."`
	JWKSURI                            string          `json:"jwks_uri,omitempty" check:"web_uri" placeholder:"URL" help:"URL of the client's public keys."`
	JWKS                               json.RawMessage `json:"jwks,omitempty" placeholder:"JSON" help:"The client's public keys, as a JWK set."`
	SoftwareID                         string          `json:"software_id,omitempty" trust:"keeps" check:"text" placeholder:"TEXT" help:"Identifier of the software."`
	SoftwareVersion                    string          `json:"software_version,omitempty" trust:"keeps" check:"text" placeholder:"TEXT" help:"Version of the software."`
	IDTokenSignedResponseAlg           string          `json:"id_token_signed_response_alg,omitempty" trust:"keeps" enum:"RS256,ES256,EdDSA" placeholder:"ALG" help:"How ID tokens are signed."`
	UserinfoSignedResponseAlg          string          `json:"userinfo_signed_response_alg,omitempty" trust:"keeps" enum:"RS256,ES256,EdDSA" placeholder:"ALG" help:"Sign responses of the userinfo endpoint; plain JSON otherwise."`
	DefaultMaxAge                      *int64          `json:"default_max_age,omitempty" trust:"keeps" max:"3650d" placeholder:"SECONDS" help:"Seconds after which users must log in again, unless the request has max_age."`
	RequireAuthTime                    bool            `json:"require_auth_time,omitempty" trust:"keeps" help:"Always put auth_time into ID tokens."`
	RequirePushedAuthorizationRequests bool            `json:"require_pushed_authorization_requests,omitempty" trust:"keeps" help:"Authorization requests must be pushed (RFC 9126)."`
	DPoPBoundAccessTokens              bool            `json:"dpop_bound_access_tokens,omitempty" trust:"keeps" help:"Token requests must have a DPoP proof (RFC 9449), whose key the access tokens are bound to."`
	InitiateLoginURI                   string          `json:"initiate_login_uri,omitempty" check:"https_uri" placeholder:"URL" help:"Where another site can begin a login at the client (OpenID Connect Core, section 4)."`
	BackchannelLogoutURI               string          `json:"backchannel_logout_uri,omitempty" check:"web_uri" placeholder:"URL" help:"Back-channel logout URL."`
	BackchannelLogoutSessionRequired   bool            `json:"backchannel_logout_session_required,omitempty" trust:"keeps" help:"Logout tokens must contain the session ID (sid)."`
}

// Policy is Latchkey's own settings of a client; only an operator sets them. A zero value means the server's default.
type Policy struct {
	Rotation                  Rotation                  `json:"rotation,omitempty" enum:"strict,confirmed,reissue,off" placeholder:"POLICY" help:"How refresh tokens are rotated."`
	RotationOverlap           *Duration                 `json:"rotation_overlap,omitempty" max:"5m" placeholder:"DURATION" help:"How long a replaced refresh token still works."`
	OnReuse                   OnReuse                   `json:"on_reuse,omitempty" enum:"revoke,reject" placeholder:"VERDICT" help:"What reuse of a retired refresh token does: revoke ends its session, reject only refuses it."`
	AccessTokenTTL            Duration                  `json:"access_token_ttl,omitempty" max:"24h" placeholder:"DURATION" help:"Lifetime of access tokens."`
	AccessTokenTTLJitter      Duration                  `json:"access_token_ttl_jitter,omitempty" max:"24h" placeholder:"DURATION" help:"Access tokens live shorter by a random time up to this, at most half of their lifetime, so that clients that got theirs together do not refresh together."`
	RefreshTokenTTL           Duration                  `json:"refresh_token_ttl,omitempty" max:"3650d" placeholder:"DURATION" help:"Absolute lifetime of sessions."`
	RefreshTokenIdleTTL       Duration                  `json:"refresh_token_idle_ttl,omitempty" max:"3650d" placeholder:"DURATION" help:"Lifetime of sessions that are not refreshed."`
	AccessTokenFormat         AccessTokenFormat         `json:"access_token_format,omitempty" enum:"jwt,opaque,simplejwt" placeholder:"FORMAT" help:"Format of access tokens; jwt is RFC 9068."`
	AccessTokenSigningAlg     string                    `json:"access_token_signed_response_alg,omitempty" enum:"ES256,EdDSA,RS256" placeholder:"ALG" help:"How access tokens of the format jwt are signed."`
	Resources                 []string                  `json:"resources,omitempty" check:"resource" placeholder:"URI" help:"Audience that the client may request and whose tokens it may introspect."`
	IntrospectAll             bool                      `json:"introspect_all,omitempty" help:"It may introspect every token: for the operator's own resource servers."`
	RequirePKCE               *bool                     `json:"require_pkce,omitempty" help:"Whether authorization requests must have a code_challenge (RFC 7636). Unset: required, unless a client that authenticates sends an OpenID nonce. Only such a client may be exempted."`
	ErrorISS                  *bool                     `json:"error_iss,omitempty" help:"Whether errors of the authorization endpoint name the issuer (RFC 9207). Unset: they do. Turn it off for mod_auth_openidc 2.4, which takes such an error for a login that began elsewhere."`
	Profile                   string                    `json:"profile,omitempty" enum:"fapi2" placeholder:"PROFILE" help:"Rules that the client is held to: fapi2 is the FAPI 2.0 Security Profile with private_key_jwt and DPoP. It sets what the profile demands."`
	RequireGroups             []string                  `json:"require_groups,omitempty" check:"text" placeholder:"GROUP" help:"Only users in one of these groups may use the client."`
	GroupsClaim               string                    `json:"groups_claim,omitempty" check:"claim" placeholder:"CLAIM" help:"The claim with the user's groups in ID tokens, userinfo and JWT access tokens, if it is not to be groups."`
	GroupsPrefix              string                    `json:"groups_prefix,omitempty" check:"text" placeholder:"PREFIX" help:"The client learns of the groups only whose names begin with this."`
	FirstParty                bool                      `json:"first_party,omitempty" help:"The operator's own application: no consent page."`
	IDTokenClaims             *bool                     `json:"id_token_claims,omitempty" help:"ID tokens have the claims of the granted scopes, as the userinfo endpoint does; on unless turned off."`
	IDTokenRefresh            *bool                     `json:"id_token_refresh,omitempty" help:"A refresh has an ID token too if the scope has openid; on unless turned off. Without one, a refresh saves a signature (OpenID Connect Core, section 12.2)."`
	PasswordGrantSecondFactor PasswordGrantSecondFactor `json:"password_grant_second_factor,omitempty" enum:"refuse,ignore,append" placeholder:"ANSWER" help:"What the password grant does for users who have a second factor: refuse them, ignore it, or expect the six digits of their application appended to the password; refuse unless set."`
	BrandName                 string                    `json:"brand_name,omitempty" check:"text" placeholder:"NAME" help:"Name above the pages on the way to the client, in place of the service's."`
	BrandLogoURI              string                    `json:"brand_logo_uri,omitempty" check:"web_uri" placeholder:"URL" help:"Logo above these pages; a PNG, WebP, JPEG or GIF of at most 64 KiB."`
	BrandAccent               string                    `json:"brand_accent,omitempty" check:"accent" placeholder:"#RRGGBB" help:"Colour of buttons and links on these pages."`
	BrandAccentDark           string                    `json:"brand_accent_dark,omitempty" check:"accent_dark" placeholder:"#RRGGBB" help:"The same in the dark colour scheme; made from brand_accent if it is not set."`
	BrandTermsURI             string                    `json:"brand_terms_uri,omitempty" check:"web_uri" placeholder:"URL" help:"Terms of service below these pages and at sign-up, in place of the service's."`
	BrandPrivacyURI           string                    `json:"brand_privacy_uri,omitempty" check:"web_uri" placeholder:"URL" help:"Privacy policy there, in place of the service's."`
	Verified                  bool                      `json:"verified,omitempty" help:"The operator vouches for this client, which registered itself."`
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

// OnReuse is what the reuse of a retired refresh token does to its grant.
type OnReuse string

// The values of OnReuse.
const (
	OnReuseRevoke OnReuse = "revoke"
	OnReuseReject OnReuse = "reject"
)

// PasswordGrantSecondFactor is what the password grant does for users who have a second factor.
type PasswordGrantSecondFactor string

// The values of PasswordGrantSecondFactor.
const (
	SecondFactorRefuse PasswordGrantSecondFactor = "refuse"
	SecondFactorIgnore PasswordGrantSecondFactor = "ignore"
	SecondFactorAppend PasswordGrantSecondFactor = "append"
)

// AccessTokenFormat is the format of access tokens.
type AccessTokenFormat string

// The formats: jwt is RFC 9068, simplejwt has the claims and the key of the simplejwt routes.
const (
	FormatJWT       AccessTokenFormat = "jwt"
	FormatOpaque    AccessTokenFormat = "opaque"
	FormatSimpleJWT AccessTokenFormat = "simplejwt"
)

// The grant types that a client can be registered for.
const (
	GrantPassword          = "password"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantAuthorizationCode = "authorization_code"
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"
)

// The methods of client authentication at the token endpoint.
const (
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
	AuthNone  = "none"
	// AuthPrivateKeyJWT is an assertion signed with the client's own key (RFC 7523, OpenID Connect Core §9).
	AuthPrivateKeyJWT = "private_key_jwt"
)

const (
	responseTypeCode  = "code"
	applicationWeb    = "web"
	applicationNative = "native"
	algRS256          = "RS256"
	algES256          = "ES256"
)

// SimpleJWTID is the built-in first-party public client behind the simplejwt routes.
const SimpleJWTID = "simplejwt"

// HasKeys reports whether the client has registered public keys.
func (m *Metadata) HasKeys() bool { return m.JWKSURI != "" || len(m.JWKS) > 0 }

// UsesSecret reports whether the client authenticates with a secret that the server issues.
func (m *Metadata) UsesSecret() bool {
	return m.TokenEndpointAuthMethod == AuthBasic || m.TokenEndpointAuthMethod == AuthPost
}
