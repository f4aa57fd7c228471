package simplejwt

import (
	"fmt"
	"slices"
	"strings"

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

// ofUser reports whether a token says that it is a user's.
func ofUser(t *codec.Token, u *storage.User) bool {
	return slices.Contains(t.UserIDs(), u.Sub())
}
