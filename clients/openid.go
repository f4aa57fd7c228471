package clients

import (
	"slices"
	"strings"
	"time"
)

// The algorithms that tokens for a client can be signed with, and those that a client can sign its assertions with.
const (
	algRS256 = "RS256"
	algES256 = "ES256"
	algEdDSA = "EdDSA"
	algPS256 = "PS256"
	// algEd25519 is EdDSA by its newer name: RFC 9864.
	algEd25519 = "Ed25519"
)

// maxDefaultMaxAge bounds default_max_age, in seconds: no browser session is older.
const maxDefaultMaxAge = int64(10 * 365 * 24 * time.Hour / time.Second)

// checkOpenID holds the metadata of OpenID Connect to what the server can do.
func checkOpenID(m *Metadata, _ *Policy) *MetadataError {
	if m.IDTokenSignedResponseAlg == "" && slices.Contains(m.GrantTypes, GrantAuthorizationCode) {
		m.IDTokenSignedResponseAlg = algRS256 // OpenID Connect Registration §2
	}
	algorithms := [...]struct {
		field, alg string
		known      []string
	}{
		{"id_token_signed_response_alg", m.IDTokenSignedResponseAlg, []string{algRS256, algES256, algEdDSA}},
		{"userinfo_signed_response_alg", m.UserinfoSignedResponseAlg, []string{algRS256, algES256, algEdDSA}},
		{"token_endpoint_auth_signing_alg", m.TokenEndpointAuthSigningAlg, []string{algES256, algEdDSA, algEd25519, algRS256, algPS256}},
	}
	for _, a := range algorithms {
		if a.alg != "" && !slices.Contains(a.known, a.alg) {
			return invalid(a.field, "%q is not one of %s", shorten(a.alg), strings.Join(a.known, ", "))
		}
	}
	if age := m.DefaultMaxAge; age != nil {
		if *age < 0 || *age > maxDefaultMaxAge {
			return invalid("default_max_age", "it must be a number of seconds from 0 to %d", maxDefaultMaxAge)
		}
		seconds := *age // the caller's may change
		m.DefaultMaxAge = &seconds
	}
	return nil
}

// checkLogout holds backchannel_logout_uri to OpenID Connect Back-Channel Logout 1.0 §2.2: http is for clients that
// authenticate. It never leaves the network of the operator then: whoever registers itself needs https.
func checkLogout(m *Metadata, _ *Policy) *MetadataError {
	const field = "backchannel_logout_uri"
	if m.BackchannelLogoutURI == "" {
		if m.BackchannelLogoutSessionRequired {
			return invalid("backchannel_logout_session_required", "it needs a %s", field)
		}
		return nil
	}
	if err := checkWebURI(m.BackchannelLogoutURI); err != nil {
		return invalid(field, "%q: %v", shorten(m.BackchannelLogoutURI), err)
	}
	if m.TokenEndpointAuthMethod == AuthNone && !strings.HasPrefix(m.BackchannelLogoutURI, "https:") {
		return invalid(field, "use https: http is for clients that authenticate")
	}
	return nil
}
