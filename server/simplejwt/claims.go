package simplejwt

import (
	"fmt"
	"slices"
	"strings"

	"latchkey/server/claims"
	"latchkey/server/simplejwt/codec"
	"latchkey/storage"
)

// UserClaims returns the claims about the user that tokens can have besides the user id, named as Django names its fields.
//
// What Django has and Latchkey does not keep (first_name, groups, is_superuser) is not among them, nor is last_login: a login would write
// the one before it, and the next refresh that login itself.
func UserClaims() []string { return []string{"id", "username", "email", "is_active", "is_staff"} }

// knownClaims returns an error for a name that is not one of UserClaims.
func knownClaims(names []string) error {
	for _, name := range names {
		if !slices.Contains(UserClaims(), name) {
			return fmt.Errorf("%s is no claim of the user; there are %s", name, strings.Join(UserClaims(), ", "))
		}
	}
	return nil
}

func userClaim(name string, u *storage.User) codec.Claim {
	switch name {
	case "id":
		return codec.IDClaim(name, u.Sub())
	case "username":
		return codec.StringClaim(name, u.Username)
	case "email":
		return codec.StringClaim(name, u.Email)
	case "is_active":
		return codec.BoolClaim(name, u.Active)
	default: // is_staff: see knownClaims
		return codec.BoolClaim(name, u.Staff)
	}
}

// userClaims returns the claims about a user that every token has: those that are named as Django names its fields, then those of the
// operator's map, by name. What the map names and the user has not is taken out of a token that is made from another one: a right that
// was withdrawn must not live on from refresh to refresh.
func (f *Format) userClaims(u *storage.User) []codec.Claim {
	if len(f.settings.Claims)+len(f.mapped) == 0 {
		return nil
	}
	extra := make([]codec.Claim, 0, len(f.settings.Claims)+len(f.mapped)+1)
	for _, name := range f.settings.Claims {
		extra = append(extra, userClaim(name, u))
	}
	if len(f.mapped) == 0 {
		return extra
	}
	values := f.settings.Mapped.All(u, claims.SimpleJWT)
	for _, name := range f.mapped {
		claim, err := codec.JSONClaim(name, values[name])
		if values[name] == nil || err != nil {
			claim = codec.NoClaim(name)
		}
		extra = append(extra, claim)
	}
	return extra
}
