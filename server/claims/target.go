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

// AMRPassword is the amr of a login with a password (RFC 8176 §2).
const AMRPassword = "pwd"

// The values of acr, each of which is at least the one before.
const (
	// ACRPassword is a login at the login page with a password.
	ACRPassword = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
	// ACRMultiFactor is a login with two factors (OpenID Provider Authentication Policy Extension §4).
	ACRMultiFactor = "http://schemas.openid.net/pape/policies/2007/06/multi-factor"
	// ACRPhishingResistant is one of which a passkey or a security key was part (OpenID Connect EAP ACR Values §2).
	ACRPhishingResistant = "phr"
)

// acrs are the values that acr can have, the weakest first.
var acrs = []string{ACRPassword, ACRMultiFactor, ACRPhishingResistant}

// ACRs returns the values that acr can have, for acr_values_supported (Discovery §3), the weakest first.
func ACRs() []string { return slices.Clone(acrs) }

// MultiFactor reports whether a login with these methods had two factors (RFC 8176 §2).
func MultiFactor(amr []string) bool { return slices.Contains(amr, "mfa") }

// reached returns those of acrs that a login amounts to; none when nothing is known about it.
func reached(amr []string) []string {
	switch {
	case MultiFactor(amr) && (slices.Contains(amr, "hwk") || slices.Contains(amr, "swk")):
		return acrs
	case MultiFactor(amr):
		return acrs[:2]
	case slices.Contains(amr, AMRPassword):
		return acrs[:1]
	}
	return nil
}

// Meets reports whether a login with these methods amounts to one of the asked values.
func Meets(amr, asked []string) bool {
	return slices.ContainsFunc(asked, func(value string) bool { return slices.Contains(reached(amr), value) })
}

// ACR returns what a login with these methods amounts to; empty when nothing is known about it. Of the asked values, if the login amounts to
// one of them, it is the first such: a stronger login is also a weaker one (OpenID Connect Core §5.5.1.1).
func ACR(amr []string, asked ...string) string {
	values := reached(amr)
	if i := slices.IndexFunc(asked, func(value string) bool { return slices.Contains(values, value) }); i >= 0 {
		return asked[i]
	}
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

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
