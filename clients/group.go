package clients

import (
	"fmt"
	"slices"
	"strings"
)

// Admits reports whether a user in these groups may use the client. Group names are compared byte for byte.
func (p *Policy) Admits(groups []string) bool {
	return len(p.RequireGroups) == 0 || slices.ContainsFunc(p.RequireGroups, func(g string) bool { return slices.Contains(groups, g) })
}

// VisibleGroups returns those of a user's groups that the client learns of.
func (p *Policy) VisibleGroups(groups []string) []string {
	if p.GroupsPrefix == "" {
		return groups
	}
	return slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return !strings.HasPrefix(g, p.GroupsPrefix) })
}

// protocolClaims have a meaning in the tokens of this server; no claim about a user may have their names.
var protocolClaims = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "sid", "events",
	"typ", "client_id", "client_epoch", "scope", "cnf", "act", "may_act", "active", "token_type", "fam", "gen", "par", "seal", "refresh_exp",
	"_claim_names", "_claim_sources", "sub_id", "sub_jwk", "txn", "trust_framework",
}

// userClaims are those of OpenID Connect Core §5.1, which a list of groups must not replace: applications tell people apart by them.
var userClaims = []string{
	"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "email", "email_verified",
	"gender", "birthdate", "zoneinfo", "locale", "phone_number", "phone_number_verified", "address", "updated_at", "username",
}

// IsProtocolClaim reports whether a claim has a meaning in the tokens of this server.
func IsProtocolClaim(name string) bool { return slices.Contains(protocolClaims, name) }

// ValidClaim reports whether a text can be the name of a claim. It is narrower than JSON, and fits into the settings.
func ValidClaim(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"\=,`, c) })
}

func checkClaim(name string) error {
	switch {
	case !ValidClaim(name):
		return fmt.Errorf(`%.200q is no name of a claim: use up to 255 visible ASCII characters without " \ = and comma`, name)
	case IsProtocolClaim(name) || slices.Contains(userClaims, name):
		return fmt.Errorf("%q is a claim with a meaning of its own: use another name, such as roles", name)
	}
	return nil
}
