package config

import (
	"slices"
	"strings"

	"latchkey/server/claims"
)

// setRules accepts the operator's claims map. Every entry that can't be is named.
func setRules(into *[]claims.Rule, text string) error {
	return parseEach(into, text, claims.ParseRule, func(a, b claims.Rule) bool { return a.Claim == b.Claim },
		"Write CLAIM=SOURCE or CLAIM=SOURCE in TARGET TARGET; in a file `claims: {CLAIM: SOURCE}`. Sources are "+
			strings.Join(claims.Sources(), ", ")+"; targets are "+strings.Join(claims.Targets(), ", ")+".")
}

// setScopes accepts the operator's scopes. Whether their claims exist is for [Settings.validate] to say.
func setScopes(into *[]claims.Scope, text string) error {
	return parseEach(into, text, claims.ParseScope, func(a, b claims.Scope) bool { return a.Name == b.Name },
		"Write SCOPE=CLAIM CLAIM; in a file `scopes: {SCOPE: [CLAIM, CLAIM]}`.")
}

// validateClaims makes the catalog of claims of the options that were read.
func (s *Settings) validateClaims(fault func(name, problem, remedy string)) {
	for _, r := range s.claimRules {
		told := r.Targets == 0 || r.Targets&claims.SimpleJWT != 0
		jwt := &s.Server.SimpleJWT
		if told && (r.Claim == jwt.UserIDClaim || slices.Contains(jwt.Claims, r.Claim)) {
			fault("claims", "has "+r.Claim+", which tokens of simplejwt have already by --simplejwt-user-id-claim or --simplejwt-claims",
				"Remove it there, or write `"+r.Claim+": {from: "+r.Source+", in: [id_token, userinfo]}`.")
		}
	}
	catalog, err := claims.New(s.claimRules, s.claimScopes)
	if err != nil {
		fault("scopes", "has an invalid entry: "+err.Error(), "Name claims of OpenID Connect, or of --claims (LATCHKEY_CLAIMS).")
		return
	}
	s.Server.Claims = catalog
}
