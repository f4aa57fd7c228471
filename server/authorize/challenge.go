package authorize

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"latchkey/server/claims"
	"latchkey/storage"
)

// checkChallenge checks the code_challenge (RFC 7636 §4.3). One that is sent counts for every client; checkScope has been
// called before.
func (a *Request) checkChallenge(context.Context) error {
	a.challenge = a.params.Get("code_challenge")
	method := a.params.Get("code_challenge_method")
	switch {
	case a.challenge == "" && method == "" && a.mayOmitChallenge():
		return nil
	case a.challenge == "":
		return a.refuse("invalid_request", "%s", a.challengeMissing())
	case method != "S256":
		// Leaving it out means plain: RFC 7636 §4.3, which RFC 9700 §2.1.1 rules out.
		return a.refuse("invalid_request", "The code_challenge_method must be S256; a request without it means plain.")
	}
	// RFC 7636 §4.2: 32 bytes in base64url without padding.
	if sum, err := base64.RawURLEncoding.Strict().DecodeString(a.challenge); err != nil || len(sum) != 32 {
		return a.refuse("invalid_request", "The code_challenge must be the SHA-256 hash of the code_verifier, in base64url without padding: 43 characters.")
	}
	return nil
}

// mayOmitChallenge reports whether the request is safe without PKCE (docs/decisions/0011).
//
// RFC 9700 §2.1.1 requires PKCE of public clients. What it is to prevent, the injection of a stolen code, a client that authenticates
// can prevent by the nonce of OpenID Connect; that is up to the client, and an operator can vouch for one that does neither.
func (a *Request) mayOmitChallenge() bool {
	switch {
	case a.Client.Public() || a.service.cfg.RequirePKCE:
		return false
	case a.Client.RequirePKCE != nil:
		return !*a.Client.RequirePKCE
	case !slices.Contains(a.Scope, claims.ScopeOpenID):
		return false
	}
	return a.nonce != "" || a.registeredOnWeb()
}

// registeredOnWeb reports whether the client registered itself, and gets its answer at an https URL. There is no operator to ask for
// an exemption, and OpenID Connect Core §3.1.2.1 leaves the nonce to the client.
func (a *Request) registeredOnWeb() bool {
	return a.Client.Origin == storage.OriginRegistration && strings.HasPrefix(a.RedirectURI, "https://")
}

// challengeMissing says what to change, in the application or here.
func (a *Request) challengeMissing() string {
	const missing = "The parameter code_challenge is missing: "
	switch {
	case a.params.Get("code_challenge_method") != "":
		return missing + "code_challenge_method was sent without it."
	case a.Client.Public():
		return missing + "a public client must use PKCE (RFC 7636) with code_challenge_method=S256."
	case a.service.cfg.RequirePKCE, a.Client.RequirePKCE != nil:
		return missing + "PKCE (RFC 7636) with code_challenge_method=S256 is required here (require-pkce)."
	}
	return missing + "use PKCE (RFC 7636) with code_challenge_method=S256, or scope=openid with a nonce; " +
		"or the operator sets --no-require-pkce for the client."
}
