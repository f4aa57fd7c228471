package claims

import (
	"slices"
)

// entry is a claim of the catalog.
type entry struct {
	source  source
	targets Target
	// scopes ask for the claim; one without a scope is in every token of its targets.
	scopes []string
}

// grantedBy reports whether one of the scopes brings the claim.
func (e *entry) grantedBy(scopes []string) bool {
	return len(e.scopes) == 0 || slices.ContainsFunc(e.scopes, func(s string) bool { return slices.Contains(scopes, s) })
}

// standard are the claims of OpenID Connect Core §5.1 and groups, with the scopes of §5.4. Those without a source are there when the
// operator's map names one.
var standard = []struct{ name, source, scope string }{
	{"name", "name", ScopeProfile},
	{"given_name", "given_name", ScopeProfile},
	{"family_name", "family_name", ScopeProfile},
	{"middle_name", "attributes.middle_name", ScopeProfile},
	{"nickname", "attributes.nickname", ScopeProfile},
	{"preferred_username", "username", ScopeProfile},
	{"profile", "attributes.profile", ScopeProfile},
	{"picture", "picture", ScopeProfile},
	{"website", "attributes.website", ScopeProfile},
	{"gender", "attributes.gender", ScopeProfile},
	{"birthdate", "attributes.birthdate", ScopeProfile},
	{"zoneinfo", "zoneinfo", ScopeProfile},
	{"locale", "locale", ScopeProfile},
	{"updated_at", "updated_at", ScopeProfile},
	{"email", "email", ScopeEmail},
	{"email_verified", "email_verified", ScopeEmail},
	{"groups", "groups", ScopeGroups},
	{"address", "", ScopeAddress},
	{"phone_number", "", ScopePhone},
	{"phone_number_verified", "", ScopePhone},
}
