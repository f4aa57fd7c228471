package claims

import (
	"slices"
)

// The scopes of OpenID Connect (Core §5.4, §11), and groups, which other servers have too.
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopeEmail   = "email"
	ScopeGroups  = "groups"
	ScopeAddress = "address"
	ScopePhone   = "phone"
	// ScopeOffline asks for a session that outlives a logout. Any client that is registered for refresh tokens may ask for it.
	ScopeOffline = "offline_access"
)

// AMRPassword is the amr of a login with a password (RFC 8176 §2), ACRPassword the acr of one at the login page, the only kind there is.
const (
	AMRPassword = "pwd"
	ACRPassword = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
)

// ACR returns what a login that was done in these ways amounts to; empty when nothing is known about it.
func ACR(amr []string) string {
	if slices.Contains(amr, AMRPassword) {
		return ACRPassword
	}
	return ""
}

// ACRs returns the values that acr can have, for acr_values_supported (Discovery §3).
func ACRs() []string { return []string{ACRPassword} }

// Target is a set of places where a claim is released.
type Target uint8

// The targets.
const (
	IDToken Target = 1 << iota
	UserInfo
	// AccessToken is an access token of the format jwt, or the introspection of an opaque one.
	AccessToken
	// SimpleJWT is every token of the simplejwt routes, and an access token of the format simplejwt.
	SimpleJWT

	everywhere = IDToken | UserInfo | AccessToken | SimpleJWT
)
