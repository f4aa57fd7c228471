package token

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"latchkey/server/internal/legacyjwt"
	"latchkey/storage"
)

// UserClaims are what tokens in simplejwt's form can say of the user besides who it is, named as Django names its fields.
//
// What Django has and Latchkey does not keep (first_name, groups, is_superuser) is not among them, nor is last_login: a login
// would write the one before it, and the next refresh that login itself.
func UserClaims() []string { return []string{"id", "username", "email", "is_active", "is_staff"} }

// knownClaims refuses what is not one of UserClaims.
func knownClaims(names []string) error {
	for _, name := range names {
		if !slices.Contains(UserClaims(), name) {
			return fmt.Errorf("%s is no claim of the user; there are %s", name, strings.Join(UserClaims(), ", "))
		}
	}
	return nil
}

func userClaim(name string, u *storage.User) legacyjwt.Claim {
	switch name {
	case "id":
		return legacyjwt.IntClaim(name, u.ID)
	case "username":
		return legacyjwt.StringClaim(name, u.Username)
	case "email":
		return legacyjwt.StringClaim(name, u.Email)
	case "is_active":
		return legacyjwt.BoolClaim(name, u.Active)
	default: // is_staff: see knownClaims
		return legacyjwt.BoolClaim(name, u.Staff)
	}
}

// extraClaims are the configured claims, as the user is at this moment: read with the login or with the grant.
func (x *exchange) extraClaims() []legacyjwt.Claim {
	names := x.s.simplejwt.Claims
	if len(names) == 0 {
		return nil
	}
	extra := make([]legacyjwt.Claim, 0, len(names)+1)
	for _, name := range names {
		extra = append(extra, userClaim(name, x.user))
	}
	return extra
}

// passwordChanged reports whether a token in flight was signed before the user's password was changed: simplejwt puts an
// MD5 of the stored hash into tokens under CHECK_REVOKE_TOKEN (REVOKE_TOKEN_CLAIM).
//
// It can tell only while the stored hash is the one that came from Django. Latchkey writes PHC strings: over Django's at the
// user's first login here, which ends no session, and at a change of the password, which ends all by the epoch.
func passwordChanged(t *legacyjwt.Token, u *storage.User) bool {
	claim, ok := t.Claim("hash_password")
	if !ok || u.PasswordHash == "" || u.PasswordHash[0] == '$' {
		return false
	}
	sum := md5.Sum([]byte(u.PasswordHash))
	return claim != `"`+strings.ToUpper(hex.EncodeToString(sum[:]))+`"`
}
