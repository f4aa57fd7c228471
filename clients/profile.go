package clients

import (
	"slices"
	"strings"
)

// ProfileFAPI2 is the FAPI 2.0 Security Profile (Final), with private_key_jwt and DPoP.
const ProfileFAPI2 = "fapi2"

// FAPI2 reports whether the client is held to the FAPI 2.0 Security Profile.
func (p *Policy) FAPI2() bool { return p.Profile == ProfileFAPI2 }

// AllowsAlg reports whether a client may sign with an algorithm that is supported: FAPI 2.0 Security Profile §5.4.1 has PS256, ES256 and EdDSA.
func (p *Policy) AllowsAlg(alg string) bool { return !p.FAPI2() || alg != algRS256 }

// setProfile sets what the profile demands and the operator has left open.
func (r *Registration) setProfile() {
	if !r.FAPI2() {
		return
	}
	if r.TokenEndpointAuthMethod == "" {
		r.TokenEndpointAuthMethod = AuthPrivateKeyJWT
	}
	if r.IDTokenSignedResponseAlg == "" && (empty(r.GrantTypes) || slices.Contains(r.GrantTypes, GrantAuthorizationCode)) {
		r.IDTokenSignedResponseAlg = algES256
	}
	if r.Rotation == "" {
		r.Rotation = RotationOff // §5.3.2.1: the key of the client is what a thief lacks
	}
	required := true
	if r.RequirePKCE == nil {
		r.RequirePKCE = &required
	}
	r.RequirePushedAuthorizationRequests, r.DPoPBoundAccessTokens = true, true
}

// checkProfile refuses what FAPI 2.0 Security Profile §5.3.2 and §5.4 do.
func checkProfile(r *Registration) *MetadataError {
	const of = " (profile " + ProfileFAPI2 + ")"
	if !r.FAPI2() {
		return nil
	}
	for name, alg := range map[string]string{
		"token_endpoint_auth_signing_alg": r.TokenEndpointAuthSigningAlg, "request_object_signing_alg": r.RequestObjectSigningAlg,
		"id_token_signed_response_alg": r.IDTokenSignedResponseAlg, "userinfo_signed_response_alg": r.UserinfoSignedResponseAlg,
		"access_token_signed_response_alg": r.AccessTokenSigningAlg,
	} {
		if alg == algRS256 {
			return Invalid(name, "it must not be %s"+of, algRS256)
		}
	}
	switch {
	case r.TokenEndpointAuthMethod != AuthPrivateKeyJWT:
		return Invalid("token_endpoint_auth_method", "it must be %s"+of, AuthPrivateKeyJWT)
	case slices.Contains(r.GrantTypes, GrantPassword):
		return Invalid("grant_types", "%s is not allowed"+of, GrantPassword)
	case slices.Contains(r.GrantTypes, GrantDeviceCode): // its requests are neither pushed nor bound to the browser that answers (§5.3.2.2)
		return Invalid("grant_types", "%s is not allowed"+of, GrantDeviceCode)
	case r.RequirePKCE != nil && !*r.RequirePKCE:
		return Invalid("require_pkce", "PKCE is required"+of)
	case r.ErrorISS != nil && !*r.ErrorISS:
		return Invalid("error_iss", "answers must name the issuer"+of)
	case slices.ContainsFunc(r.RedirectURIs, func(uri string) bool { return strings.HasPrefix(uri, "http:") && !IsLoopbackURI(uri) }):
		return Invalid("redirect_uris", "use https"+of)
	}
	return nil
}
