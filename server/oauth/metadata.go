package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"latchkey/clients"
	"latchkey/server/authorize"
	"latchkey/server/clientauth"
	"latchkey/server/dpop"
	"latchkey/server/internal/jwt"
	"latchkey/server/token"
)

// metadataMaxAge is short, since clients read the documents once and operators change what they say.
const metadataMaxAge = 5 * time.Minute

// metadata is the document of RFC 8414 §2 and of OpenID Connect Discovery 1.0 §3 at once. It names what works, nothing else.
type metadata struct {
	Issuer                    string `json:"issuer"`
	AuthorizationEndpoint     string `json:"authorization_endpoint"`
	PushedRequestEndpoint     string `json:"pushed_authorization_request_endpoint"`
	DeviceEndpoint            string `json:"device_authorization_endpoint"`
	TokenEndpoint             string `json:"token_endpoint"`
	UserInfoEndpoint          string `json:"userinfo_endpoint"`
	EndSessionEndpoint        string `json:"end_session_endpoint"`
	RevocationEndpoint        string `json:"revocation_endpoint"`
	IntrospectionEndpoint     string `json:"introspection_endpoint"`
	RegistrationEndpoint      string `json:"registration_endpoint,omitempty"`
	JWKSURI                   string `json:"jwks_uri"`
	ClientIDMetadataDocuments bool   `json:"client_id_metadata_document_supported,omitempty"`

	Scopes               []string `json:"scopes_supported"`
	ResponseTypes        []string `json:"response_types_supported"`
	ResponseModes        []string `json:"response_modes_supported"`
	GrantTypes           []string `json:"grant_types_supported"`
	CodeChallengeMethods []string `json:"code_challenge_methods_supported"`
	// ResponseIssuer is RFC 9207 §3, RequirePushed RFC 9126 §5.
	ResponseIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	RequirePushed  bool     `json:"require_pushed_authorization_requests"`
	Prompts        []string `json:"prompt_values_supported"`
	UILocales      []string `json:"ui_locales_supported,omitempty"`

	TokenAuthMethods         []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs            []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthAlgs       []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthAlgs    []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`

	DPoPAlgs []string `json:"dpop_signing_alg_values_supported"` // RFC 9449 §5.1

	SubjectTypes    []string `json:"subject_types_supported"`
	IDTokenAlgs     []string `json:"id_token_signing_alg_values_supported"`
	UserInfoAlgs    []string `json:"userinfo_signing_alg_values_supported"`
	Claims          []string `json:"claims_supported"`
	ACRs            []string `json:"acr_values_supported"`
	ClaimsParameter bool     `json:"claims_parameter_supported"`
	// RequestParameter and RequestURIParameter are request objects (RFC 9101), by value and by reference. The second must be
	// said to be absent (Discovery §3: true is its default); the request_uri of a pushed request is not meant by it.
	RequestParameter         bool     `json:"request_parameter_supported"`
	RequestURIParameter      bool     `json:"request_uri_parameter_supported"`
	RequestObjectAlgs        []string `json:"request_object_signing_alg_values_supported"`
	BackchannelLogout        bool     `json:"backchannel_logout_supported"`
	BackchannelLogoutSession bool     `json:"backchannel_logout_session_supported"`
}

// Metadata is the authorization server's metadata document (RFC 8414 §3), which is the OpenID configuration too: clients look
// for one and take what they find for the other.
func (h *Handlers) Metadata(w http.ResponseWriter, r *http.Request) error {
	scopes, err := h.cfg.Scopes(r.Context())
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	last := h.document.Load()
	if last == nil || !slices.Equal(last.scopes, scopes) {
		body, err := json.Marshal(h.metadata(scopes))
		if err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		last = &document{scopes: scopes, cacheable: cacheableJSON(body)}
		h.document.Store(last)
	}
	return last.write(w, r)
}

// metadata is the document, given the scopes of the protected resources.
func (h *Handlers) metadata(scopes []string) *metadata {
	// Introspection is for those who can prove who they are.
	confidential := []string{clients.AuthBasic, clients.AuthPost, clients.AuthPrivateKeyJWT}
	all := append(confidential[:3:3], clients.AuthNone)
	algs := clientauth.AssertionAlgs()
	m := &metadata{
		Issuer:                    h.cfg.Issuer,
		AuthorizationEndpoint:     h.cfg.Issuer + AuthorizePath,
		PushedRequestEndpoint:     h.cfg.Issuer + PushPath,
		DeviceEndpoint:            h.cfg.Issuer + DevicePath,
		TokenEndpoint:             h.cfg.Issuer + TokenPath,
		UserInfoEndpoint:          h.cfg.Issuer + UserInfoPath,
		EndSessionEndpoint:        h.cfg.Issuer + LogoutPath,
		RevocationEndpoint:        h.cfg.Issuer + RevokePath,
		IntrospectionEndpoint:     h.cfg.Issuer + IntrospectPath,
		JWKSURI:                   h.cfg.Issuer + JWKSPath,
		ClientIDMetadataDocuments: h.cfg.ClientDocuments,

		Scopes:               withoutRepeats(append(h.cfg.Claims.Scopes(), scopes...)),
		ResponseTypes:        []string{"code"},
		ResponseModes:        authorize.ResponseModes,
		GrantTypes:           token.GrantTypes(),
		CodeChallengeMethods: []string{"S256"},
		ResponseIssuer:       true,
		Prompts:              authorize.Prompts(),
		UILocales:            h.cfg.Locales,

		TokenAuthMethods:         all,
		TokenAuthAlgs:            algs,
		RevocationAuthMethods:    all,
		RevocationAuthAlgs:       algs,
		IntrospectionAuthMethods: confidential,
		IntrospectionAuthAlgs:    algs,
		DPoPAlgs:                 dpop.Algs(),

		SubjectTypes:    []string{"public"},
		IDTokenAlgs:     token.IDTokenAlgs(),
		UserInfoAlgs:    token.IDTokenAlgs(),
		Claims:          append([]string{"iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid"}, h.cfg.Claims.Names()...),
		ClaimsParameter: true,
		ACRs:            h.cfg.ACRs,

		RequestParameter:  true,
		RequestObjectAlgs: jwt.IncomingAlgs(),

		BackchannelLogout:        true,
		BackchannelLogoutSession: true,
	}
	if h.cfg.Registration != RegistrationOff {
		m.RegistrationEndpoint = h.cfg.Issuer + RegisterPath
	}
	return m
}

// withoutRepeats keeps the first of each.
func withoutRepeats(list []string) []string {
	var kept []string
	for _, s := range list {
		if !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// cacheableJSON returns a JSON document that is the same for everybody.
func cacheableJSON(body []byte) *cacheable {
	sum := sha256.Sum256(body)
	return newCacheable("application/json", body, `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`, metadataMaxAge)
}
