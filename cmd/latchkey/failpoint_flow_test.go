package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	failpointUser     = "alice"
	failpointPassword = "wonderland-7"
	callback          = "https://app.example/cb"
	verifier          = "a-code-verifier-that-every-test-may-use-again.1"
	challenge         = "I_QjNqwt4OzyIA4Mu3PH7bSBgJYrwnzkM-82DLzNq1Y"
)

// failpointClients are flags of client add. Those of the password grant are named after their rotation.
var failpointClients = [][]string{
	{"--client-id", "confirmed", "--token-endpoint-auth-method", "none", "--rotation", "confirmed", "--grant-type", "password", "--grant-type", "refresh_token"},
	{"--client-id", "overlap", "--token-endpoint-auth-method", "none", "--rotation", "strict", "--rotation-overlap", "5m", "--grant-type", "password", "--grant-type", "refresh_token"},
	{"--client-id", "strict", "--token-endpoint-auth-method", "none", "--rotation", "strict", "--rotation-overlap", "0s", "--grant-type", "password", "--grant-type", "refresh_token"},
	{"--client-id", "off", "--token-endpoint-auth-method", "none", "--rotation", "off", "--grant-type", "password", "--grant-type", "refresh_token"},
	{"--client-id", "web", "--token-endpoint-auth-method", "none", "--first-party", "--redirect-uri", callback, "--backchannel-logout-uri", "https://app.example/logout", "--grant-type", "authorization_code", "--grant-type", "refresh_token", "--scope", "openid"},
	{"--client-id", "asks", "--token-endpoint-auth-method", "none", "--redirect-uri", callback, "--grant-type", "authorization_code", "--grant-type", "refresh_token", "--scope", "openid"},
	{"--client-id", "tv", "--token-endpoint-auth-method", "none", "--grant-type", "urn:ietf:params:oauth:grant-type:device_code", "--grant-type", "refresh_token", "--scope", "openid"},
}

// flow is something that a client or a person does with one request, which is repeated after the process was killed.
type flow struct {
	name string
	// decides is the operation whose commit is the moment that counts.
	decides string
	// begins says that it begins a session.
	begins bool
	// prepare does what comes before, and returns the request and the judgement of the two answers to it: the first one, if it had
	// arrived when the process died, and the one to its repetition.
	prepare func(k *killed) (act func() reply, judge func(first, again reply, committed bool))
	// short is part of the short form.
	short bool
	// brief leaves out, in the short form, what comes after the commit.
	brief bool
	// pages says that other pages come before the one that decides.
	pages bool
}

var failpointFlows = []flow{
	{name: "login", decides: "create grant", begins: true, prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		return func() reply { return k.login("confirmed") }, func(_, again reply, _ bool) { k.mustRefresh("confirmed", again) }
	}, short: true},
	{name: "login by simplejwt", decides: "create grant", begins: true, prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		return func() reply { return k.login("simplejwt") }, func(_, again reply, _ bool) { k.mustRefresh("simplejwt", again) }
	}},
	refreshFlow("confirmed"), refreshFlow("overlap"), refreshFlow("off"), refreshFlow("simplejwt"),
	{name: "refresh, strict without overlap", decides: "attempt grant", prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		token := refreshToken(k.login("strict"))
		return func() reply { return k.refresh("strict", token) }, func(first, again reply, committed bool) {
			// RFC 9700 §4.14.2, and docs/rotation.md: without an overlap a lost answer is a lost session.
			if again.ok() == committed {
				k.t.Errorf("committed: %v; repeated: %d %s", committed, again.status, again.body)
			}
			if first.ok() && k.refresh("strict", refreshToken(first)).ok() {
				k.t.Error("a session of which a token was used twice lives")
			}
		}
	}, short: true},
	{name: "code exchange", decides: "redeem authorization code", begins: true, prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		code := k.code(newJar())
		return func() reply { return k.redeem(code) }, func(first, again reply, committed bool) {
			k.once("web", first, again, committed)
		}
	}, short: true},
	{name: "device code exchange", decides: "redeem device code", begins: true, prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		code, _ := k.device()
		k.approve(code)
		return func() reply { return k.poll(code) }, func(first, again reply, committed bool) { k.once("tv", first, again, committed) }
	}, short: true},
	{name: "approval of a device", decides: "answer device code", prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		code, user := k.device()
		jar := newJar()
		k.signIn(jar)
		return func() reply { return k.allowDevice(jar, user) }, func(_, again reply, committed bool) {
			// A code that is answered is not asked about again; the device has its tokens all the same.
			if tokens := k.poll(code); !tokens.ok() {
				k.t.Errorf("the device: %d %s; the page, committed: %v: %d", tokens.status, tokens.body, committed, again.status)
			}
		}
	}, pages: true},
	{name: "sign-in", decides: "create browser session", prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		jar := newJar()
		return func() reply { return k.signIn(jar) }, func(_, _ reply, _ bool) {
			if r := k.redeem(k.code(jar)); !r.ok() {
				k.t.Errorf("after the sign-in: %d %s", r.status, r.body)
			}
		}
	}, pages: true},
	{name: "consent", decides: "grant consent", prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		jar := newJar()
		k.signIn(jar)
		return func() reply { return k.authorize(jar, "asks", "consent") }, func(_, again reply, _ bool) {
			if !strings.HasPrefix(again.location, callback+"?") {
				k.t.Errorf("%d %q", again.status, again.location)
			}
		}
	}, pages: true},
	{name: "revocation", decides: "revoke grant", prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		token := refreshToken(k.login("confirmed"))
		return func() reply {
				return k.post("/oauth2/revoke", url.Values{"client_id": {"confirmed"}, "token": {token}})
			},
			func(_, again reply, _ bool) {
				if r := k.refresh("confirmed", token); !again.ok() || r.ok() {
					k.t.Errorf("revoked: %d; then a refresh: %d", again.status, r.status)
				}
			}
	}},
	{name: "logout", decides: "end browser session", prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		jar := newJar()
		tokens := k.redeem(k.code(jar))
		return func() reply { return k.logOut(jar) }, func(_, again reply, _ bool) {
			if r := k.refresh("web", refreshToken(tokens)); r.ok() {
				k.t.Errorf("the session goes on after the logout (%d)", again.status)
			}
		}
	}},
	{name: "registration", decides: "use registration token", prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		// A token is used up if and only if there is its client: one use is enough for a process that dies before the commit.
		var initial struct {
			Token string `json:"registration_token"`
		}
		if err := json.Unmarshal(k.Run("", "registration-token", "add", "--uses", "1"), &initial); err != nil {
			k.t.Fatal(err)
		}
		before := len(k.registered())
		return func() reply {
				return k.request(http.MethodPost, "/oauth2/register", "application/json",
					`{"client_name":"One","redirect_uris":["https://one.example/cb"],"token_endpoint_auth_method":"none"}`, "Authorization", "Bearer "+initial.Token)
			}, func(_, again reply, committed bool) {
				made := k.registered()
				if again.ok() == committed || len(made) != before+1 {
					k.t.Errorf("committed: %v; repeated: %d %s; clients before and after: %d, %d", committed, again.status, again.body, before, len(made))
				}
			}
	}, short: true},
}

func refreshFlow(client string) flow {
	decides := "attempt grant"
	return flow{name: "refresh, " + client, decides: decides, prepare: func(k *killed) (func() reply, func(_, _ reply, _ bool)) {
		token := refreshToken(k.login(client))
		return func() reply { return k.refresh(client, token) }, func(first, again reply, _ bool) {
			k.mustRefresh(client, again)
			// What the lost answer had is the same successor: adopting it would have been right, too.
			if a, b := refreshToken(first), refreshToken(again); client != "off" && first.ok() && a != b && client != "simplejwt" {
				k.t.Errorf("another successor than in the answer before")
			}
		}
	}, short: client != "off"}
}

// once judges an exchange of what may be used once: lost before the commit it works, after it there is at most one session, which the
// repetition ends (RFC 6749 §4.1.2).
func (k *killed) once(client string, first, again reply, committed bool) {
	k.t.Helper()
	if again.ok() == committed {
		k.t.Errorf("committed: %v; repeated: %d %s", committed, again.status, again.body)
	}
	if !committed {
		k.mustRefresh(client, again)
	}
}

// Case 11 of docs/rotation.md at named points: the process is killed around each write of a flow, and after its answer. The client
// repeats its request, nothing is redeemed twice, no other session is lost, and none is left half made.
func TestCase11KillNineAtFailpoints(t *testing.T) {
	t.Parallel()
	long := os.Getenv("LATCHKEY_TEST_LONG") != ""
	for name, onPostgres := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := startKilled(t, onPostgres)
			bystander := k.login("confirmed")
			for _, f := range failpointFlows {
				if f.short || long {
					k.killAtEachPoint(f, long, &bystander)
				}
			}
		})
	}
}

func (k *killed) killAtEachPoint(f flow, long bool, bystander *reply) {
	k.t.Helper()
	act, _ := f.prepare(k)
	points := k.passed(func() { act() })
	commit := slices.Index(points, f.decides+"/after")
	if commit < 0 {
		k.t.Fatalf("%s passes %q, without %s", f.name, points, f.decides)
	}
	for i, point := range points {
		// The pages before have points of their own, in flows of their own; user codes have a limit of attempts.
		pages := f.pages && !strings.HasPrefix(point, f.decides)
		if pages || !long && (point != f.decides+"/before" && i < commit || f.brief && i > commit) {
			continue
		}
		act, judge := f.prepare(k)
		before := len(k.live())
		k.arm(point)
		first := act()
		k.mustDie(point)
		began := 0
		if f.begins && i >= commit {
			began = 1
		}
		if after := len(k.live()); f.begins && after != before+began {
			k.t.Errorf("%s at %s: %d sessions, before: %d", f.name, point, after, before)
		}
		k.serve()
		again := act()
		judge(first, again, i >= commit)
		if *bystander = k.refresh("confirmed", refreshToken(*bystander)); !bystander.ok() {
			k.t.Fatalf("%s at %s: another session is lost: %d %s", f.name, point, bystander.status, bystander.body)
		}
		if k.t.Failed() {
			k.t.Fatalf("%s at %s", f.name, point)
		}
	}
	k.t.Logf("%s: killed at %d points: %q", f.name, len(points), points)
}
