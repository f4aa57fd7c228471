package simplejwt

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// LegacyCookie is a cookie in which Django, or a package such as dj-rest-auth, keeps the refresh token. A browser distinguishes cookies of one name
// by path and domain, so these are what Django sets.
type LegacyCookie struct{ Name, Path, Domain string }

// ParseLegacyCookie reads NAME;Path=…;Domain=…. Both attributes are optional: the path is / then, and the cookie is the host's own.
func ParseLegacyCookie(text string) (LegacyCookie, error) {
	name, attributes, _ := strings.Cut(text, ";")
	l := LegacyCookie{Name: strings.TrimSpace(name)}
	for attributes != "" {
		var one string
		one, attributes, _ = strings.Cut(attributes, ";")
		key, value, ok := strings.Cut(strings.TrimSpace(one), "=")
		switch key = strings.ToLower(key); {
		case ok && key == "path" && l.Path == "" && strings.HasPrefix(value, "/"):
			l.Path = value
		case ok && key == "domain" && l.Domain == "" && value != "":
			l.Domain = value
		default:
			return l, fmt.Errorf("%q has the attribute %q; Path=/… and Domain=… may be given once", l.Name, one)
		}
	}
	c := http.Cookie{Name: l.Name, Path: l.Path, Domain: l.Domain}
	if err := c.Valid(); err != nil || len(text) > 256 {
		return l, fmt.Errorf("%q is not the name of a cookie with a valid path and domain", text)
	}
	if host := strings.HasPrefix(strings.ToLower(l.Name), "__host-"); host && (l.Domain != "" || l.Path != "" && l.Path != "/") {
		return l, errors.New(l.Name + " has no Domain and no other Path than /") // RFC 6265bis §4.1.3.2
	}
	return l, nil
}

// heldByLegacy returns what the cookies of a request hold. There may be several of a name, with other paths or domains.
func heldByLegacy(r *http.Request, legacy []LegacyCookie) (held []string) {
	const most = 8
	for _, l := range legacy {
		for _, c := range r.CookiesNamed(l.Name) {
			if c.Value != "" && len(held) < most {
				held = append(held, c.Value)
			}
		}
	}
	return held
}

// newestFirst puts the token that ends last first; of tokens that end together the earlier one stays first. Every answer that writes a cookie writes
// all of them, so that one that differs is Django's, written since then, or it was left behind: to present the older one would look
// like reuse of a retired token.
func newestFirst(held []string) {
	if len(held) > 1 {
		slices.SortStableFunc(held, func(a, b string) int { return cmp.Compare(endOf(b), endOf(a)) })
	}
}

// endOf returns the exp claim of a token whose signature is not checked yet; 0 if it can't be read.
func endOf(token string) (seconds float64) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return 0
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return 0
	}
	return claims.Expires
}
