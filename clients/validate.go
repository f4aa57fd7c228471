package clients

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"latchkey/storage"
)

// MaxAccessTokenTTL bounds the lifetime of an access token: a resource server that verifies tokens by itself trusts one that
// long, and a signing key stays published that long after its last use.
const MaxAccessTokenTTL = 24 * time.Hour

// Validate checks metadata and policy and fills in the defaults of RFC 7591 §2. Its results pass again unchanged; its
// arguments are never changed. The error has one or more *MetadataError: see [Faults].
func Validate(m Metadata, p Policy) (Metadata, Policy, error) {
	return ValidateFor(&Registration{Metadata: m, Policy: p})
}

// ValidateFor is Validate for a registration, with the schemes that its server accepts.
func ValidateFor(given *Registration) (Metadata, Policy, error) {
	r := *given
	r.setDefaults()
	var faults []error
	wrong := map[string]bool{}
	for i := range Fields {
		f := &Fields[i]
		if err := f.validate(&r); err != nil {
			faults, wrong[f.Name] = append(faults, Invalid(f.Name, "%v", err)), true
		}
	}
	for _, rule := range [...]func(*Registration) *MetadataError{
		checkGrants, checkKeys, checkAuthentication, checkLogout, checkPolicy, checkProfile,
	} {
		if err := rule(&r); err != nil && !wrong[err.Field] {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return Metadata{}, Policy{}, errors.Join(faults...)
	}
	return r.Metadata, r.Policy, nil
}

// setDefaults sets what RFC 7591 §2 and OpenID Connect Registration §2 say of absent members.
func (r *Registration) setDefaults() {
	set := func(text *string, value string) {
		if *text == "" {
			*text = value
		}
	}
	r.setProfile()
	set(&r.ApplicationType, applicationWeb)
	set(&r.TokenEndpointAuthMethod, AuthBasic)
	if empty(r.GrantTypes) {
		r.GrantTypes = []string{GrantAuthorizationCode}
	}
	if slices.Contains(r.GrantTypes, GrantAuthorizationCode) {
		set(&r.IDTokenSignedResponseAlg, algRS256)
		if empty(r.ResponseTypes) {
			r.ResponseTypes = []string{responseTypeCode}
		}
	}
	if bytes.Equal(bytes.TrimSpace(r.JWKS), []byte("null")) || len(r.JWKS) == 0 {
		r.JWKS = nil
	}
}

// checkGrants checks that grant types, response types and redirect URIs agree.
func checkGrants(r *Registration) *MetadataError {
	code := slices.Contains(r.GrantTypes, GrantAuthorizationCode)
	switch {
	case code && len(r.RedirectURIs) == 0:
		return Invalid("redirect_uris", "the grant type %s, which is the default, needs one", GrantAuthorizationCode)
	case !code && len(r.ResponseTypes) > 0: // RFC 7591 §2.1: the two lists must agree.
		return Invalid("response_types", "%s needs the grant type %s", responseTypeCode, GrantAuthorizationCode)
	}
	return nil
}

func checkAuthentication(r *Registration) *MetadataError {
	public := r.TokenEndpointAuthMethod == AuthNone
	switch {
	case r.TokenEndpointAuthMethod == AuthPrivateKeyJWT && !r.HasKeys():
		return Invalid("token_endpoint_auth_method", "%s needs the client's public keys: jwks_uri or jwks", AuthPrivateKeyJWT)
	case r.RequireSignedRequestObject && !r.HasKeys():
		return Invalid("require_signed_request_object", "it needs the client's public keys: jwks_uri or jwks")
	case public && slices.Contains(r.GrantTypes, GrantClientCredentials): // RFC 6749 §4.4: confidential clients only.
		return Invalid("grant_types", "%s needs a client that authenticates: token_endpoint_auth_method must not be %s",
			GrantClientCredentials, AuthNone)
	case public && r.IntrospectAll:
		return Invalid("introspect_all", "it needs a client that authenticates: token_endpoint_auth_method must not be %s", AuthNone)
	case public && r.RequirePKCE != nil && !*r.RequirePKCE: // RFC 9700 §2.1.1
		return Invalid("require_pkce", "only a client that authenticates may do without PKCE: token_endpoint_auth_method must not be %s", AuthNone)
	}
	return nil
}

// checkLogout checks backchannel_logout_uri (OpenID Connect Back-Channel Logout 1.0 §2.2): http is for clients that
// authenticate. Such a request never leaves the operator's network; a client that registers itself must use https.
func checkLogout(r *Registration) *MetadataError {
	const field = "backchannel_logout_uri"
	switch {
	case r.BackchannelLogoutURI == "" && r.BackchannelLogoutSessionRequired:
		return Invalid("backchannel_logout_session_required", "it needs a %s", field)
	case r.TokenEndpointAuthMethod == AuthNone && strings.HasPrefix(r.BackchannelLogoutURI, "http:"):
		return Invalid(field, "use https: http is for clients that authenticate")
	}
	return nil
}

func checkPolicy(r *Registration) *MetadataError {
	switch {
	case r.AccessTokenSigningAlg != "" && r.AccessTokenFormat != "" && r.AccessTokenFormat != FormatJWT:
		return Invalid("access_token_signed_response_alg", "it applies to the access_token_format %s only", FormatJWT)
	case r.DPoPBoundAccessTokens && r.AccessTokenFormat == FormatSimpleJWT:
		return Invalid("dpop_bound_access_tokens", "tokens of the access_token_format %s can't be bound to a key", FormatSimpleJWT)
	case r.RefreshTokenTTL != 0 && r.RefreshTokenIdleTTL > r.RefreshTokenTTL:
		return Invalid("refresh_token_idle_ttl", "%s is longer than refresh_token_ttl", r.RefreshTokenIdleTTL)
	}
	return nil
}

// ValidateResource checks a protected resource and cleans its scopes. The error is a *MetadataError.
func ValidateResource(r *storage.Resource) error {
	if err := checkResource(r.Identifier); err != nil {
		return Invalid("resource", "%.200q: %v", r.Identifier, err)
	}
	if err := CheckText(r.Name); err != nil {
		return Invalid("name", "%v", err)
	}
	scopes, err := cleanList(r.Scopes)
	if err != nil {
		return Invalid("scope", "%v", err)
	}
	for _, scope := range scopes {
		switch {
		case !validScope(scope):
			return Invalid("scope", "%.200q is not a scope", scope)
		case IsAdminScope(scope):
			return Invalid("scope", "%.200q: %s is kept for the API for operators", scope, adminScopes)
		}
	}
	r.Scopes = scopes
	return nil
}

// ValidResource reports whether text can be a resource identifier: an absolute URI without a fragment (RFC 8707 §2).
func ValidResource(identifier string) bool { return checkResource(identifier) == nil }
