package codec

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"latchkey/storage"
)

// Token is an authentic token: what its claims say, in their order, unknown ones too.
type Token struct {
	claims    claims
	userClaim string

	expires, issuedAt time.Time
	hasExpires        bool
	jti               string
	hasJTI            bool
}

// Type is the claim token_type when it is text, else empty.
func (t *Token) Type() string { return t.claims.text("token_type") }

// JTI is the token's own id. Tokens that Latchkey or simplejwt wrote have 32 hex digits.
func (t *Token) JTI() string { return t.jti }

// ID is TokenIDOf the token's jti.
func (t *Token) ID() storage.TokenID { return TokenIDOf(t.jti) }

// Expires and IssuedAt are zero when the claim is absent.
func (t *Token) Expires() time.Time  { return t.expires }
func (t *Token) IssuedAt() time.Time { return t.issuedAt }

// UserIDs are the subjects that the token's user may have, the likelier one first: the claim's text as it is (a UUID, a slug), and the
// number that Django makes of the claim where keys are integers. There is none if the claim is absent, or can be no user's.
func (t *Token) UserIDs() (subjects []string) {
	raw, ok := t.claims.get(t.userClaim)
	if !ok {
		return nil
	}
	exact := text(raw)
	if strings.Trim(raw, "0123456789") == "" && raw[0] != '0' {
		exact = raw
	}
	if exact != "" {
		subjects = append(subjects, exact)
	}
	if n, ok := integer(raw); ok && n.int > 0 && n.int < math.MaxInt64 {
		if number := strconv.FormatInt(n.int, 10); number != exact {
			subjects = append(subjects, number)
		}
	}
	return subjects
}

// Family is the session that the token belongs to. ok is false for a token that simplejwt wrote.
func (t *Token) Family() (id storage.ID, ok bool) {
	id, err := storage.ParseID(t.claims.text(familyClaim))
	return id, err == nil
}

// RefreshUntil is the time from which on a sliding token can't be refreshed; zero when the claim is none that can be one.
func (t *Token) RefreshUntil() (at time.Time, ok bool) {
	v, ok := t.claims.get(refreshUntilClaim)
	if !ok {
		return time.Time{}, false
	}
	if n, valid := number(v); valid {
		at = n.time()
	}
	return at, true
}

// Session is the session that an access token or a sliding token names. ok is false for a token that simplejwt wrote.
func (t *Token) Session() (id storage.ID, ok bool) {
	id, err := storage.ParseID(t.claims.text(sessionClaim))
	return id, err == nil
}

// Generation is the token's place in the chain of its session; ok is false when it names none.
func (t *Token) Generation() (n int64, ok bool) {
	v, found := t.claims.get(generationClaim)
	if !found {
		return 0, false
	}
	m, ok := number(v)
	return m.int, ok && m.exact && m.int >= 0
}

// Parent is the token that was presented to get this one; zero at generation 0.
func (t *Token) Parent() storage.TokenID {
	v, ok := t.claims.get(parentClaim)
	if !ok {
		return storage.TokenID{}
	}
	return TokenIDOf(text(v))
}

// Seal is the seal of a refresh token; empty when it has none.
func (t *Token) Seal() string { return t.claims.text(sealClaim) }

// Claim returns the JSON text of any claim.
func (t *Token) Claim(name string) (value string, ok bool) { return t.claims.get(name) }

// TokenIDOf returns the storage's form of a jti. A jti that is not 32 lower-case hex digits, which only tokens of other issuers
// have, is hashed.
func TokenIDOf(jti string) storage.TokenID {
	var id storage.TokenID
	if len(jti) == 2*len(id) {
		if _, err := hex.Decode(id[:], []byte(jti)); err == nil && hex.EncodeToString(id[:]) == jti {
			return id
		}
	}
	sum := sha256.Sum256([]byte(jti))
	copy(id[:], sum[:])
	return id
}
