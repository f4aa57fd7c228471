package config

import (
	"net/http"
	"slices"
	"strings"

	"latchkey/server/claims"
	"latchkey/server/simplejwt"
)

// setAnswerClaims accepts names of claims, except those of the tokens in the answer.
func setAnswerClaims(into *[]string, text string) error {
	*into = lines(text)
	for _, name := range *into {
		if name == "access" || name == "refresh" || name == "token" {
			return &invalid{"contains " + name + ", which is a token in the answer", "Leave it out."}
		}
		if err := (claims.Rule{Claim: name, Source: "username"}).Check(); err != nil {
			return &invalid{"has an invalid name: " + err.Error(), "Name claims that tokens have."}
		}
	}
	return nil
}

// setUserClaims accepts the fields of a user that tokens may carry.
func setUserClaims(into *[]string, text string) error {
	return setChosen(into, text, simplejwt.UserClaims(), "is not a user claim", "Choose from "+strings.Join(simplejwt.UserClaims(), ", ")+", separated by commas.")
}

func setClaim(into *string, text string) error {
	taken := []string{"token_type", "exp", "iat", "jti", "iss", "aud", "nbf", "fam", "gen", "par", "sid", "refresh_exp", "client_id"}
	if slices.Contains(taken, text) {
		return &invalid{"is a claim that tokens already have", "Use another name, such as user_id."}
	}
	*into = text
	return nil
}

// setCookieName accepts the name without its prefix, which is always added.
func setCookieName(into *string, text string) error {
	if lower := strings.ToLower(text); strings.HasPrefix(lower, "__host-") || strings.HasPrefix(lower, "__secure-") {
		return &invalid{"has a prefix", "Leave out the prefix; __Host- is added automatically."}
	}
	cookie := http.Cookie{Name: text} // RFC 6265 §4.1.1: a token
	if cookie.Valid() != nil || len(text) > 64 {
		return &invalid{"is not a valid cookie name", "Use up to 64 letters, digits, hyphens and underscores, like refresh."}
	}
	*into = text
	return nil
}

// setLegacyCookies reads NAME;Path=…;Domain=….
func setLegacyCookies(into *[]simplejwt.LegacyCookie, text string) error {
	return parseEach(into, text, simplejwt.ParseLegacyCookie, func(a, b simplejwt.LegacyCookie) bool { return a == b },
		"Write the name that Django uses, like refresh_token, and after semicolons the Path and Domain that Django sets.")
}
