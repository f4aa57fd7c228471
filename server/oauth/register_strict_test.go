package oauth_test

import (
	"net/http"
	"strings"
	"testing"

	"latchkey/server"
	"latchkey/server/oauth"
	"latchkey/server/servertest"
)

// Metadata that two readers understand in different ways make no client: whoever checks a registration before it arrives may see another redirect URI
// than the one that is stored.
func TestRegistrationOfAmbiguousJSON(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Registration = oauth.RegistrationOpen }))
	const uris = `"redirect_uris":["https://a.example/cb"]`
	for body, want := range map[string]string{
		`{` + uris + `,"redirect_uris":["https://b.example/cb"]}`:                      "twice",
		`{` + uris + `,"redirect\u005furis":["https://b.example/cb"]}`:                 "twice",
		`{` + uris + `,"jwks":{"keys":[{"kty":"RSA","kty":"EC"}]}}`:                    "twice",
		`{` + uris + ",\"client_name\":\"\xff\"}":                                      "UTF-8",
		`{` + uris + `,"client_name":"\ud800"}`:                                        "surrogate",
		`{` + uris + `,"x":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`: "levels",
	} {
		a := s.Do("POST", s.URL+oauth.RegisterPath, body, servertest.Header("Content-Type", "application/json"))
		if a.ExpectError(http.StatusBadRequest, "invalid_client_metadata"); !strings.Contains(a.String("error_description"), want) {
			t.Errorf("%q: %s", body, a.Body)
		}
	}
}

// A developer learns of all that is wrong at once.
func TestRegistrationNamesEveryFault(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Registration = oauth.RegistrationOpen }))
	for body, members := range map[string]string{
		`{"redirect_uris":"https://a.example/cb","contacts":"x","scope":["a"],"default_max_age":"5"}`: "redirect_uris contacts scope default_max_age",
		`{"redirect_uris":["https://a.example/#x"],"scope":"latchkey:users:read","backchannel_logout_uri":"http://a.example/","subject_type":"pairwise",
			"client_uri":"javascript:x","grant_types":["implicit"]}`: "redirect_uris scope backchannel_logout_uri subject_type client_uri grant_types",
	} {
		a := s.Do("POST", s.URL+oauth.RegisterPath, body, servertest.Header("Content-Type", "application/json")).Expect(http.StatusBadRequest)
		for member := range strings.FieldsSeq(members) {
			if n := strings.Count("; "+a.String("error_description"), "; "+member+": "); n != 1 {
				t.Errorf("%s is named %d times: %s", member, n, a.Body)
			}
		}
	}
}

// What is registered is managed with a Bearer token alone, so nothing else is asked for (RFC 7592 §1.3), and what an answer says is ASCII (RFC 6749 §5.2).
func TestTheChallengeOfRegistration(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{oauth.RegisterPath, oauth.RegisterPath + "/client"} {
		for _, token := range []string{"", "Bearer lk_rat_x", "DPoP lk_rat_x", "Basic eDp5"} {
			edits := []servertest.Edit{servertest.Header("Content-Type", "application/json")}
			if token != "" {
				edits = append(edits, servertest.Header("Authorization", token))
			}
			method := http.MethodPost
			if path != oauth.RegisterPath {
				method = http.MethodPut
			}
			a := s.Do(method, s.URL+path, `{}`, edits...)
			challenges := a.ExpectError(http.StatusUnauthorized, "invalid_token").Header.Values("WWW-Authenticate")
			if len(challenges) != 1 || !strings.HasPrefix(challenges[0], `Bearer realm="latchkey"`) || strings.Contains(challenges[0], "error=") != (token != "") {
				t.Errorf("%s with %q: %q", path, token, challenges)
			}
			if strings.Contains(a.Body, "?") {
				t.Errorf("%s with %q: %s", path, token, a.Body)
			}
		}
	}
}
