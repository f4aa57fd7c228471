package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"latchkey/server/servertest"
)

// Statement 6, RFC 7636 §4.1: a verifier has 43 to 128 unreserved characters. One that has others is refused though its challenge fits.
func TestStatement6VerifiersHaveALengthAndAnAlphabet(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	redeem := func(verifier string) *servertest.Answer {
		sum := sha256.Sum256([]byte(verifier))
		code := b.Code(s.Portal, "code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		return s.Redeem(s.Portal, code, "code_verifier", verifier)
	}
	for _, good := range []string{strings.Repeat("a", 43), strings.Repeat("Z", 128), strings.Repeat("0-._~", 10)} {
		redeem(good).Expect(200)
	}
	for _, bad := range []string{
		"a", strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("a", 5000), strings.Repeat("a", 42) + " ", strings.Repeat("a", 42) + "=",
		strings.Repeat("a", 42) + "/", strings.Repeat("ä", 43), strings.Repeat("a", 43) + "\n",
	} {
		redeem(bad).ExpectError(400, "invalid_grant")
	}
}
