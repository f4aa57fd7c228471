package djangotest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// settingsOf is the settings file that docs/django.md shows under a heading, as a developer pastes it.
func settingsOf(t *testing.T, heading string) string {
	t.Helper()
	document, err := os.ReadFile("../../../docs/django.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(document), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/django.md has no section %q", heading)
	}
	m := regexp.MustCompile("(?s)```python\n(# settings.py\n.*?)```").FindStringSubmatch(section)
	if m == nil {
		t.Fatalf("docs/django.md shows no settings.py under %q", heading)
	}
	return m[1]
}

// backend is an API behind a Latchkey.
type backend struct {
	deployment *deployment
	latchkey   string
	api        string
}

var (
	alice = account{ID: 1, Username: "alice", Password: "wonderland-7", Active: true, Hasher: "pbkdf2_sha256"}
	// dora has left the API's site, and eve, who has alice's password, was never there.
	dora = account{ID: 5, Username: "dora", Password: "explorer-5", Active: true, Hasher: "pbkdf2_sha256"}
	eve  = account{ID: 99, Username: "eve", Password: "wonderland-7", Active: true, Hasher: "pbkdf2_sha256"}
)

// newBackend starts a Latchkey with these flags, whose users are those of the site and eve.
func newBackend(t *testing.T, s *site, flags ...string) *backend {
	t.Helper()
	d := newDeployment(t).withUsers(t, []account{alice, dora, eve}, s.hashes)
	return &backend{deployment: d, latchkey: d.serve(flags...)}
}

// apiSite has alice, and dora as inactive.
func apiSite(t *testing.T) *site {
	t.Helper()
	gone := dora
	gone.Active = false
	s := newSite(t, []account{alice, gone})
	s.hashes[eve.ID] = s.hashes[alice.ID]
	return s
}

// login gets tokens of /api/token/.
func (b *backend) login(t *testing.T, u account) (refresh, access string) {
	t.Helper()
	return b.tokens(t, post(obtainPath, fmt.Sprintf(`{"username":%q,"password":%q}`, u.Username, u.Password)))
}

// password gets an access token of /oauth2/token for a client.
func (b *backend) password(t *testing.T, id, secret string, u account) (access string) {
	t.Helper()
	body := url.Values{"grant_type": {"password"}, "username": {u.Username}, "password": {u.Password}}.Encode()
	_, access = b.tokens(t, &request{"POST", "/oauth2/token", []field{
		{"Content-Type", formType},
		{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))},
	}, &body})
	return access
}

func (b *backend) tokens(t *testing.T, r *request) (refresh, access string) {
	t.Helper()
	answer, err := send(b.latchkey, r)
	if err != nil {
		t.Fatal(err)
	}
	var pair struct {
		Refresh     string `json:"refresh"`
		Access      string `json:"access"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer.body, &pair); err != nil || answer.status != 200 {
		t.Fatalf("%s: %d %s", r.target, answer.status, answer.body)
	}
	return pair.Refresh, pair.Access + pair.AccessToken
}

// call asks the API with an Authorization header; none for an empty one.
func (b *backend) call(t *testing.T, target, authorization string) *reply {
	t.Helper()
	r := &request{method: "GET", target: target}
	if authorization != "" {
		r.header = []field{{"Authorization", authorization}}
	}
	answer, err := send(b.api, r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

const whoAmI = "/api/whoami/"

// accepts wants the API to know the user by the token.
func (b *backend) accepts(t *testing.T, what, access, body string) {
	t.Helper()
	if r := b.call(t, whoAmI, "Bearer "+access); r.status != 200 || string(r.body) != body {
		t.Errorf("%s: %d %s, want %s", what, r.status, r.body, body)
	}
}

// refuses wants the package's own answer.
func (b *backend) refuses(t *testing.T, what, authorization, body string) {
	t.Helper()
	r := b.call(t, whoAmI, authorization)
	if challenge, _ := r.get("WWW-Authenticate"); r.status != 401 || string(r.body) != body || challenge != `Bearer realm="api"` {
		t.Errorf("%s: %d %q %s, want 401 %s", what, r.status, challenge, r.body, body)
	}
}

// Bodies as simplejwt 5.2.2 and REST framework write them.
const (
	notProvided = `{"detail":"Authentication credentials were not provided."}`
	badHeader   = `{"detail":"Authorization header must contain two space-delimited values","code":"bad_authorization_header"}`
	notValid    = `{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token is invalid or expired"}]}`
	wrongType   = `{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token has wrong type"}]}`
	notFound    = `{"detail":"User not found","code":"user_not_found"}`
	inactive    = `{"detail":"User is inactive","code":"user_inactive"}`
	noUser      = `{"detail":"Token contained no recognizable user identification","code":"token_not_valid"}`
	aliceBody   = `{"id":1,"username":"alice"}`
)

// need52 skips where the bodies above are not those of the package that is installed.
func need52(t *testing.T) {
	t.Helper()
	if found := needDjango(t); !strings.Contains(found, "simplejwt 5.2.") {
		if os.Getenv(required) != "" && !newer() {
			t.Fatalf("these tests know simplejwt 5.2, Debian 12's, and here is %s", found)
		}
		t.Skipf("these tests know simplejwt 5.2, and here is %s", found)
	}
}

func TestAPIWithTheSharedKey(t *testing.T) {
	t.Parallel()
	need52(t)
	s := apiSite(t)
	b := newBackend(t, s, "--simplejwt-signing-key="+secretKey)
	b.api = s.serve(t, "api", settingsOf(t, "HS256 with the shared key"))

	refresh, access := b.login(t, alice)
	b.accepts(t, "access token of a login", access, aliceBody)
	_, refreshed := b.tokens(t, post(refreshPath, fmt.Sprintf(`{"refresh":%q}`, refresh)))
	b.accepts(t, "access token of a refresh", refreshed, aliceBody)
	if r := b.call(t, "/api/maybe/", "Bearer "+access); string(r.body) != `{"id":1}` {
		t.Errorf("open view: %d %s", r.status, r.body)
	}

	b.refuses(t, "no token", "", notProvided)
	b.refuses(t, "another scheme", "Basic eDp5", notProvided)
	b.refuses(t, "lower case", "bearer "+access, notProvided)
	b.refuses(t, "three words", "Bearer "+access+" x", badHeader)
	b.refuses(t, "garbage", "Bearer garbage", notValid)
	b.refuses(t, "a refresh token", "Bearer "+refresh, wrongType)
	for name, forged := range forgeries(access) {
		b.refuses(t, name, "Bearer "+forged, notValid)
	}
	if r := b.call(t, "/api/maybe/", "Bearer "+refresh); r.status != 401 || string(r.body) != wrongType {
		t.Errorf("open view with a bad token: %d %s", r.status, r.body)
	}
	_, access = b.login(t, dora)
	b.refuses(t, "a user who is inactive at the API", "Bearer "+access, inactive)
	_, access = b.login(t, eve)
	b.refuses(t, "a user whom the API does not have", "Bearer "+access, notFound)
}

// forgeries are tokens that must be refused wherever the given one is accepted.
func forgeries(access string) map[string]string {
	parts := strings.Split(access, ".")
	payload, _ := base64url.DecodeString(parts[1])
	other := strings.Replace(string(payload), `"user_id":1`, `"user_id":5`, 1)
	expired := regexp.MustCompile(`"exp":[0-9]+`).ReplaceAllString(string(payload), `"exp":1000000000`)
	none := base64url.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	return map[string]string{
		"another user":   parts[0] + "." + base64url.EncodeToString([]byte(other)) + "." + parts[2],
		"another key":    signed(usualHeader, string(payload), "HS256", "another key, as long as the real one is"),
		"no algorithm":   none + "." + parts[1] + ".",
		"another header": none + "." + parts[1] + "." + parts[2],
		"expired":        signed(usualHeader, expired, "HS256", secretKey),
		"no signature":   parts[0] + "." + parts[1] + ".",
		"cut off":        access[:len(access)-4],
	}
}

// TestAPIWithTokensOfOAuth2: a client with access_token_format simplejwt gets tokens that the APIs take, and another gets none.
func TestAPIWithTokensOfOAuth2(t *testing.T) {
	t.Parallel()
	need52(t)
	s := apiSite(t)
	b := newBackend(t, s, "--simplejwt-signing-key="+secretKey)
	b.api = s.serve(t, "api", settingsOf(t, "HS256 with the shared key"))
	grants := []string{"--grant-type=password", "--grant-type=refresh_token", "--grant-type=client_credentials", "--scope=read"}
	client := func(more ...string) (id, secret string) {
		return b.deployment.client(slices.Concat(grants, more)...)
	}

	id, secret := client("--access-token-format=simplejwt")
	b.accepts(t, "access token of /oauth2/token", b.password(t, id, secret, alice), aliceBody)
	b.refuses(t, "a user who is inactive at the API", "Bearer "+b.password(t, id, secret, dora), inactive)

	id, secret = client()
	b.refuses(t, "an RFC 9068 access token", "Bearer "+b.password(t, id, secret, alice), notValid)

	// A token that was good ends by itself.
	id, secret = client("--access-token-format=simplejwt", "--access-token-ttl=2s")
	short := b.password(t, id, secret, alice)
	deadline := time.Now().Add(patience)
	for b.call(t, whoAmI, "Bearer "+short).status == 200 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	b.refuses(t, "a token past its end", "Bearer "+short, notValid)
}

func TestAPIWithPublishedKeys(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ES256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			need52(t)
			s := apiSite(t)
			b := newBackend(t, s, "--simplejwt-algorithm="+algorithm)
			settings := strings.ReplaceAll(settingsOf(t, "ES256 or RS256 with published keys"), "https://login.example.com", "http://"+b.latchkey)
			settings = strings.Replace(settings, `"ALGORITHM": "ES256"`, `"ALGORITHM": "`+algorithm+`"`, 1)
			b.api = s.serve(t, "api", settings)

			refresh, access := b.login(t, alice)
			b.accepts(t, "access token of a login", access, aliceBody)
			_, refreshed := b.tokens(t, post(refreshPath, fmt.Sprintf(`{"refresh":%q}`, refresh)))
			b.accepts(t, "access token of a refresh", refreshed, aliceBody)
			id, secret := b.deployment.client("--grant-type=password", "--access-token-format=simplejwt")
			b.accepts(t, "access token of /oauth2/token", b.password(t, id, secret, alice), aliceBody)

			b.refuses(t, "a refresh token", "Bearer "+refresh, wrongType)
			for name, forged := range forgeries(access) {
				b.refuses(t, name, "Bearer "+forged, notValid)
			}
			for name, forged := range keyForgeries(t, b, access) {
				b.refuses(t, name, "Bearer "+forged, notValid)
			}
			b.rotated(t, algorithm, access)
		})
	}
}

// keyForgeries confuse which key, or which kind of key, a token is signed with.
func keyForgeries(t *testing.T, b *backend, access string) map[string]string {
	t.Helper()
	set, err := send(b.latchkey, &request{method: "GET", target: "/oauth2/jwks"})
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(access, ".")
	header, _ := base64url.DecodeString(parts[0])
	payload, _ := base64url.DecodeString(parts[1])
	kid := kidOf(t, access)
	with := func(header string) string {
		return base64url.EncodeToString([]byte(header)) + "." + parts[1] + "." + parts[2]
	}
	return map[string]string{
		"the public keys as a secret": signed(fmt.Sprintf(`{"alg":"HS256","typ":"JWT","kid":%q}`, kid), string(payload), "HS256", string(set.body)),
		"an unknown key":              with(strings.Replace(string(header), kid, "unknown", 1)),
		"no key named":                with(strings.Replace(string(header), `"kid"`, `"x"`, 1)),
	}
}

func kidOf(t *testing.T, access string) string {
	t.Helper()
	parsed, _ := parseToken(access)
	var header struct {
		KID string `json:"kid"`
	}
	if err := json.Unmarshal([]byte(parsed.header), &header); err != nil || header.KID == "" {
		t.Fatalf("the token names no key: %s", parsed.header)
	}
	return header.KID
}

// rotated changes Latchkey's key while the API runs: both the old key's tokens and the new one's are accepted.
func (b *backend) rotated(t *testing.T, algorithm, old string) {
	t.Helper()
	b.deployment.Run("", "key", "rotate", "--alg="+algorithm, "--immediately")
	deadline := time.Now().Add(patience)
	for {
		_, access := b.login(t, alice)
		if kidOf(t, access) != kidOf(t, old) {
			b.accepts(t, "token of the new key", access, aliceBody)
			b.accepts(t, "token of the old key", old, aliceBody)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server still signs with the old key %s after the rotation", patience)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestAPIWithoutUsers: JWTStatelessUserAuthentication asks no database, and this one has no tables.
func TestAPIWithoutUsers(t *testing.T) {
	t.Parallel()
	need52(t)
	b := newBackend(t, apiSite(t), "--simplejwt-signing-key="+secretKey)
	empty := &site{database: t.TempDir() + "/empty.sqlite3"}
	b.api = empty.serve(t, "api", settingsOf(t, "Without a table of users"))

	refresh, access := b.login(t, alice)
	b.accepts(t, "access token of a login", access, `{"id":1,"username":""}`)
	_, other := b.login(t, eve)
	b.accepts(t, "a user whom nobody else knows", other, `{"id":99,"username":""}`)
	b.refuses(t, "no token", "", notProvided)
	b.refuses(t, "a refresh token", "Bearer "+refresh, wrongType)
	for name, forged := range forgeries(access) {
		b.refuses(t, name, "Bearer "+forged, notValid)
	}
	b.refuses(t, "no user", "Bearer "+signed(usualHeader, `{"token_type":"access","exp":9999999999,"jti":"0123456789abcdef0123456789abcdef"}`, "HS256", secretKey), noUser)
}
