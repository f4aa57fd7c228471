package oauth_test

import (
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"testing"

	"latchkey/server/servertest"
)

// Statement 35: requests at random, of parts that break something elsewhere, get no answer that shows what is inside, and none of 500. They are
// 100,000 in make test-long.
func TestStatement35RandomRequestsShowNothing(t *testing.T) {
	t.Parallel()
	n, seed := 500, uint64(35) // always the same ones
	if os.Getenv("LATCHKEY_TEST_LONG") != "" {
		n, seed = 100_000, rand.Uint64()
	}
	s := registering(t, "open")
	random := rand.New(rand.NewPCG(seed, 0))
	tokens := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200)
	paths := []string{
		"/oauth2/authorize", "/oauth2/token", "/oauth2/par", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/userinfo", "/oauth2/logout", registerPath,
		"/oauth2/device_authorization", "/oauth2/resources", "/api/token/", "/api/token/refresh/", "/api/token/verify/", "/api/token/blacklist/", "/login",
		"/consent", "/device", "/account", "/logo", "/forgot-password", "/reset-password", "/.well-known/openid-configuration", "/static/style.css",
	}
	names := []string{
		"client_id", "client_secret", "redirect_uri", "scope", "state", "nonce", "claims", "max_age", "prompt", "response_type", "request", "request_uri", "code",
		"code_verifier", "grant_type", "refresh_token", "token", "username", "password", "resource", "id_token_hint", "continue", "return_to", "user_code",
		"device_code", "client_assertion", "client_assertion_type", "dpop_jkt", "login_hint", "ui_locales", "acr_values", "audience",
	}
	values := []string{
		"", "'", `"`, "\\", "\x00", "\xff\xfe", "' OR 1=1 --", "../../etc/passwd", "{{.}}", "<script>", strings.Repeat("a", 3000), "-1", "9223372036854775808", "\r\nX: y",
		"web", "portal", servertest.Callback, "authorization_code", "refresh_token", "password", "client_credentials", "openid", "code", "S256", "%", "null", "{}", "[]",
		tokens.String("access_token"), tokens.String("id_token"), "lk_rt_", "lk_ac_x", "eyJhbGciOiJub25lIn0.e30.", "https://[::1", "1e400", "ä\u202e", "urn:ietf:params:oauth:request_uri:x",
	}
	kinds := []string{"application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x", "text/plain", ""}
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	for range n {
		form := url.Values{}
		for range random.IntN(6) {
			form.Add(pick(names), pick(values)+strings.Repeat(pick(values), random.IntN(2)))
		}
		method, path, body := pick([]string{"GET", "POST", "POST", "PUT", "DELETE", "OPTIONS"}), pick(paths), form.Encode()
		kind := pick(kinds)
		switch {
		case method == "GET":
			path, body = path+"?"+body, ""
		case kind != kinds[0]:
			body = pick(values) + body + pick(values)
		}
		a := s.Do(method, path, body, servertest.Header("Content-Type", kind), servertest.Header("Authorization", pick([]string{
			"", "Bearer " + tokens.String("access_token"), "Bearer x", "Basic Og==", "Basic x", "DPoP x", "Bearer", "JWT x.y.z",
		})))
		if a.Status >= 500 {
			t.Errorf("seed %d: %s %.200q %.300q: %d %s", seed, method, path, body, a.Status, a.Body)
		}
		shows(t, a.Body)
		for _, values := range a.Header {
			shows(t, strings.Join(values, " "))
		}
	}
}
