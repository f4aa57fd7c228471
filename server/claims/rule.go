package claims

import (
	"fmt"
	"slices"
	"strings"

	"latchkey/clients"
)

// Rule is one entry of the operator's claims map.
type Rule struct {
	Claim string
	// Source is one of [Sources].
	Source string
	// Targets is where the claim is released. Zero means everywhere, and for a claim of OpenID Connect Core §5.1 the ID token and userinfo.
	Targets Target
}

// Scope is a scope of the operator's with the claims that it brings.
type Scope struct {
	Name   string
	Claims []string
}

// Error is an entry of the operator's claims map or scopes that can't be.
type Error struct {
	// Key is the claim or the scope; Problem continues the sentence.
	Key, Problem string
}

func (e *Error) Error() string { return fmt.Sprintf("%q %s", e.Key, e.Problem) }

// maxEntries bounds what a token has at most.
const maxEntries = 100

var targetNames = []struct {
	name string
	Target
}{{"id_token", IDToken}, {"userinfo", UserInfo}, {"access_token", AccessToken}, {"simplejwt", SimpleJWT}}

// Targets returns the names of the targets, as rules have them.
func Targets() []string {
	var names []string
	for _, t := range targetNames {
		names = append(names, t.name)
	}
	return names
}

// ParseRule reads CLAIM=SOURCE or CLAIM=SOURCE in TARGET TARGET…. The error is an *Error.
func ParseRule(text string) (Rule, error) {
	claim, rest, ok := strings.Cut(text, "=")
	words := strings.Fields(rest)
	r := Rule{Claim: strings.TrimSpace(claim)}
	if !ok || len(words) == 0 || len(words) == 2 || len(words) > 1 && words[1] != "in" {
		return r, &Error{r.Claim, "is not followed by a source: write CLAIM: SOURCE, or CLAIM: SOURCE in TARGET TARGET"}
	}
	r.Source = words[0]
	for i := 2; i < len(words); i++ {
		at := slices.Index(Targets(), words[i])
		if at < 0 {
			return r, &Error{r.Claim, fmt.Sprintf("is to be in %q; there are %s", words[i], strings.Join(Targets(), ", "))}
		}
		r.Targets |= targetNames[at].Target
	}
	return r, r.Check()
}

// Check returns an *Error if the rule can't be.
func (r Rule) Check() error {
	switch _, ok := parseSource(r.Source); {
	case !clients.ValidClaim(r.Claim):
		return &Error{r.Claim, `is no name of a claim: use up to 255 visible ASCII characters without " \ = and comma`}
	case clients.IsProtocolClaim(r.Claim):
		return &Error{r.Claim, "is a claim of the protocol, which can't be replaced"}
	case !ok:
		return &Error{r.Claim, fmt.Sprintf("names %q, which users don't have; there are %s", r.Source, strings.Join(Sources(), ", "))}
	}
	return nil
}

// ParseScope reads SCOPE=CLAIM CLAIM…. The error is an *Error.
func ParseScope(text string) (Scope, error) {
	name, rest, _ := strings.Cut(text, "=")
	s := Scope{Name: strings.TrimSpace(name), Claims: strings.Fields(rest)}
	return s, s.Check()
}

// Check returns an *Error if the scope can't be. Whether its claims exist is for [New] to say.
func (s Scope) Check() error {
	switch {
	case !clients.ValidClaim(s.Name): // narrower than RFC 6749 §3.3
		return &Error{s.Name, `is no name of a scope: use up to 255 visible ASCII characters without " \ = and comma`}
	case s.Name == ScopeOpenID || s.Name == ScopeOffline:
		return &Error{s.Name, "has a meaning of its own and brings no claims: use another scope"}
	case len(s.Claims) == 0:
		return &Error{s.Name, "brings no claims: write SCOPE: [CLAIM, CLAIM]"}
	case len(s.Claims) > maxEntries:
		return &Error{s.Name, fmt.Sprintf("brings more than %d claims", maxEntries)}
	}
	return nil
}
