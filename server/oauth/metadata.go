package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"latchkey/server/token"
)

// The paths of the endpoints, behind the issuer.
const (
	AuthorizePath     = "/oauth2/authorize"
	PushPath          = "/oauth2/par"
	UserInfoPath      = "/oauth2/userinfo"
	LogoutPath        = "/oauth2/logout"
	TokenPath         = "/oauth2/token"
	RevokePath        = "/oauth2/revoke"
	IntrospectPath    = "/oauth2/introspect"
	JWKSPath          = "/oauth2/jwks"
	OAuthMetadataPath = "/.well-known/oauth-authorization-server"
	OpenIDConfigPath  = "/.well-known/openid-configuration"
)

// metadataMaxAge is short, since clients read the documents once and operators change what they say.
const metadataMaxAge = 5 * time.Minute

// metadata is the document of RFC 8414 §2. It names what works, nothing else.
//
// OpenID Connect Discovery wants members of an OpenID provider too (authorization_endpoint, subject_types_supported,
// id_token_signing_alg_values_supported). They are absent as long as no ID token is issued: an OpenID client is right
// to refuse the document then. It is served under that name all the same, because resource servers commonly look there
// and nowhere else for issuer and jwks_uri.
type metadata struct {
	Issuer        string   `json:"issuer"`
	TokenEndpoint string   `json:"token_endpoint"`
	JWKSURI       string   `json:"jwks_uri"`
	Scopes        []string `json:"scopes_supported,omitempty"`
	// ResponseTypes is required even where there is no authorization endpoint, so it is empty.
	ResponseTypes            []string `json:"response_types_supported"`
	GrantTypes               []string `json:"grant_types_supported"`
	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	RevocationEndpoint       string   `json:"revocation_endpoint"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionEndpoint    string   `json:"introspection_endpoint"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
}

// Metadata is the authorization server's metadata document (RFC 8414 §3), which is the OpenID configuration too.
func (h *Handlers) Metadata(w http.ResponseWriter, r *http.Request) error {
	scopes, err := h.scopes(r.Context())
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	confidential := []string{token.AuthBasic, token.AuthPost}
	all := append(confidential[:2:2], token.AuthNone)
	body, err := json.Marshal(metadata{
		Issuer:                   h.issuer,
		TokenEndpoint:            h.issuer + TokenPath,
		JWKSURI:                  h.issuer + JWKSPath,
		Scopes:                   scopes,
		ResponseTypes:            []string{},
		GrantTypes:               h.tokens.GrantTypes(),
		TokenAuthMethods:         all,
		RevocationEndpoint:       h.issuer + RevokePath,
		RevocationAuthMethods:    all,
		IntrospectionEndpoint:    h.issuer + IntrospectPath,
		IntrospectionAuthMethods: confidential,
	})
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	sum := sha256.Sum256(body)
	return writeCacheable(w, r, cacheable{
		contentType: "application/json", body: body,
		etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`, maxAge: metadataMaxAge,
	})
}
