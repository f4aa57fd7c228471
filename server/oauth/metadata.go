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

// metadata is the document of RFC 8414 §2 and of OpenID Connect Discovery 1.0 §3 at once, given the scopes of the protected resources. It
// names what works, nothing else.
func (h *Handlers) metadata(scopes []string) map[string]any {
	issuer := h.cfg.Issuer
	// Introspection is for those who can prove who they are.
	confidential := []string{clients.AuthBasic, clients.AuthPost, clients.AuthPrivateKeyJWT}
	all := append(confidential[:3:3], clients.AuthNone)
	m := map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                issuer + AuthorizePath,
		"pushed_authorization_request_endpoint": issuer + PushPath,
		"device_authorization_endpoint":         issuer + DevicePath,
		"token_endpoint":                        issuer + TokenPath,
		"userinfo_endpoint":                     issuer + UserInfoPath,
		"end_session_endpoint":                  issuer + LogoutPath,
		"revocation_endpoint":                   issuer + RevokePath,
		"introspection_endpoint":                issuer + IntrospectPath,
		"jwks_uri":                              issuer + JWKSPath,

		"scopes_supported":                               withoutRepeats(append(h.cfg.Claims.Scopes(), scopes...)),
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       authorize.ResponseModes,
		"grant_types_supported":                          token.GrantTypes(),
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,  // RFC 9207 §3
		"require_pushed_authorization_requests":          false, // RFC 9126 §5
		"prompt_values_supported":                        authorize.Prompts(),

		"token_endpoint_auth_methods_supported":                    all,
		"token_endpoint_auth_signing_alg_values_supported":         clientauth.AssertionAlgs(),
		"revocation_endpoint_auth_methods_supported":               all,
		"revocation_endpoint_auth_signing_alg_values_supported":    clientauth.AssertionAlgs(),
		"introspection_endpoint_auth_methods_supported":            confidential,
		"introspection_endpoint_auth_signing_alg_values_supported": clientauth.AssertionAlgs(),
		"dpop_signing_alg_values_supported":                        dpop.Algs(), // RFC 9449 §5.1

		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": token.IDTokenAlgs(),
		"userinfo_signing_alg_values_supported": token.IDTokenAlgs(),
		"claims_supported":                      append([]string{"iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "sid"}, h.cfg.Claims.Names()...),
		"acr_values_supported":                  h.cfg.ACRs,
		"claims_parameter_supported":            true,
		// Request objects (RFC 9101), by value and by reference. The second must be said to be absent (Discovery §3: true is its default);
		// the request_uri of a pushed request is not meant by it.
		"request_parameter_supported":                 true,
		"request_uri_parameter_supported":             false,
		"request_object_signing_alg_values_supported": jwt.IncomingAlgs(),
		"backchannel_logout_supported":                true,
		"backchannel_logout_session_supported":        true,
	}
	if len(h.cfg.Locales) > 0 {
		m["ui_locales_supported"] = h.cfg.Locales
	}
	if h.cfg.ClientDocuments {
		m["client_id_metadata_document_supported"] = true
	}
	if h.cfg.Registration != RegistrationOff {
		m["registration_endpoint"] = issuer + RegisterPath
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
