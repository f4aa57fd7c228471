package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/admin"
	"latchkey/server/servertest"
	"latchkey/server/webhooks"
)

// A target is added, shown without its secret, changed, tried and removed; each change is recorded with who made it.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	b := setup(t, servertest.Configure(func(c *server.Config) { c.OutboundAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }))
	b.Clock.Advance(time.Second)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	t.Cleanup(receiver.Close)
	a := b.call("POST", "/webhooks", `{"url":"`+receiver.URL+`/hook","types":["user.changed","login","login"]}`).Expect(http.StatusCreated)
	secret := a.String("secret")
	if !strings.HasPrefix(secret, "whsec_") || !strings.Contains(a.Body, `"types":["login","user.changed"]`) || a.JSON()["enabled"] != true {
		t.Errorf("created %s", a.Body)
	}
	path := strings.TrimPrefix(a.Header.Get("Location"), admin.Prefix)
	tag := a.Header.Get("ETag")
	for _, shown := range []*servertest.Answer{b.call("GET", path, "").Expect(http.StatusOK), b.call("GET", "/webhooks", "").Expect(http.StatusOK)} {
		if strings.Contains(shown.Body, secret) || strings.Contains(shown.Body, `"secret"`) {
			t.Errorf("the secret is shown again: %s", shown.Body)
		}
	}
	tried := b.call("POST", path+"/test", "").Expect(http.StatusOK)
	if tried.JSON()["delivered"] != true || tried.JSON()["status"] != float64(http.StatusAccepted) {
		t.Errorf("tried: %s", tried.Body)
	}
	got := b.call("GET", path, "")
	if got.Header.Get("ETag") != tag || !strings.Contains(got.Body, `"last_status":202`) { // deliveries are no change of the target
		t.Errorf("after a delivery: %s %s", got.Header.Get("ETag"), got.Body)
	}

	b.problem(b.call("PATCH", path, `{"enabled":false}`), http.StatusPreconditionRequired)
	b.problem(b.call("PATCH", path, `{"enabled":false}`, servertest.Header("If-Match", `"forged"`)), http.StatusPreconditionFailed)
	changed := b.call("PATCH", path, `{"enabled":false,"types":[],"name":"SIEM"}`, servertest.Header("If-Match", tag)).Expect(http.StatusOK)
	if m := changed.JSON(); m["enabled"] != false || m["disabled_reason"] != "operator" || len(m["types"].([]any)) != 0 || changed.Header.Get("ETag") == tag {
		t.Errorf("changed to %s", changed.Body)
	}
	b.problem(b.call("PATCH", path, `{"name":"x"}`, servertest.Header("If-Match", tag)), http.StatusPreconditionFailed)
	b.call("PATCH", path, `{"enabled":true}`, anyway).Expect(http.StatusOK)
	rotated := b.call("POST", path+"/secret", `{"keep_old":"1d"}`, anyway).Expect(http.StatusOK)
	if s := rotated.String("secret"); s == secret || !strings.HasPrefix(s, "whsec_") || rotated.JSON()["old_secret_expires_at"] == nil {
		t.Errorf("rotated: %s", rotated.Body)
	}
	b.problem(b.call("POST", path+"/secret", `{"keep_old":"31d"}`, anyway), http.StatusUnprocessableEntity)
	b.problem(b.call("POST", path+"/secret", `{"keep_old":"soon"}`, anyway), http.StatusUnprocessableEntity)
	b.call("DELETE", path, "", anyway).Expect(http.StatusOK)
	for _, gone := range []*servertest.Answer{
		b.call("GET", path, ""), b.call("DELETE", path, "", anyway), b.call("POST", path+"/test", ""), b.call("POST", path+"/secret", `{}`, anyway),
		b.call("PATCH", path, `{}`, anyway),
	} {
		b.problem(gone, http.StatusNotFound)
	}
	for _, action := range []string{"webhook_created", "webhook_updated", "webhook_secret_rotated", "webhook_removed"} {
		b.audited(action, "client:automation")
		list, err := b.Store.ListAudit(t.Context(), auditFilter(action))
		if err != nil || strings.Contains(string(list[0].Details), "/hook") || !strings.Contains(string(list[0].Details), `"host"`) {
			t.Errorf("%s: %s, %v", action, list[0].Details, err)
		}
	}
}

// A target that can't be is refused, and nothing is stored. Private networks and http are refused without a setting that allows them.
func TestWebhooksThatCantBe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, url := range []string{
		"http://example.com/", "http://127.0.0.1:9000/", "http://localhost:9000/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/",
		"https://10.0.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/", "https://0x7f.1/",
		"https://2130706433/", "https://0.0.0.0/", "https://app.localhost/", "https://user:password@example.com/", "https://example.com:25/", "https://example.com/#x",
		"ftp://example.com/", "example.com", "https://", "https:///x", `https://example.com/\n`, "https://exämple.com/", " https://example.com/",
		"https://example.com/" + strings.Repeat("a", 2048), "javascript:alert(1)", "file:///etc/passwd",
	} {
		p := b.problem(b.call("POST", "/webhooks", `{"url":"`+url+`"}`), http.StatusUnprocessableEntity)
		if faults, ok := p["errors"].([]any); !ok || len(faults) != 1 || faults[0].(map[string]any)["location"] != "body.url" {
			t.Errorf("%s: %v", url, p)
		}
	}
	many, err := json.Marshal(slices.Repeat([]string{"login"}, 10_000))
	if err != nil {
		t.Fatal(err)
	}
	for _, rest := range []string{
		`"url":"https://example.com/\u0000"`,
		`"types":["audit"]`, `"types":["ping"]`, `"types":[""]`, `"types":"login"`, `"types":null`, `"types":[1]`, `"types":` + string(many), `"name":"a\u0000b"`, `"name":"a\nb"`,
		`"name":7`, `"secret":"whsec_x"`, `"enabled":true`, `"name":"` + strings.Repeat("a", 256) + `"`,
	} {
		a := b.call("POST", "/webhooks", `{"url":"https://example.com/",`+rest+`}`)
		if a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusBadRequest && a.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("%.100s: %d %s", rest, a.Status, a.Body)
		}
	}
	if got := items(t, b.call("GET", "/webhooks", "")); len(got) > 0 {
		t.Errorf("stored: %v", got)
	}
	b.call("POST", "/webhooks?dry_run=true", `{"url":"https://example.com/"}`).Expect(http.StatusCreated)
	if got := items(t, b.call("GET", "/webhooks", "")); len(got) > 0 {
		t.Errorf("a trial stored: %v", got)
	}
	for _, id := range []string{"x", "00000000-0000-0000-0000-000000000000", "%00", strings.Repeat("9", 300)} {
		if a := b.call("GET", "/webhooks/"+id, ""); a.Status != http.StatusNotFound && a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", id, a.Status)
		}
	}
}

// The same creation again creates nothing and shows no secret; there are no more targets than there may be, and a list has parts.
func TestWebhooksAreFew(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := servertest.Header("Idempotency-Key", "k")
	const body = `{"url":"https://example.com/hook"}`
	first := b.call("POST", "/webhooks", body, key).Expect(http.StatusCreated)
	again := b.call("POST", "/webhooks", body, key).Expect(http.StatusCreated)
	if again.String("id") != first.String("id") || again.String("secret") != "" || first.String("secret") == "" {
		t.Errorf("first %s, again %s", first.Body, again.Body)
	}
	for range webhooks.MaxTargets - 1 {
		b.Clock.Advance(time.Millisecond)
		b.call("POST", "/webhooks", body).Expect(http.StatusCreated)
	}
	b.problem(b.call("POST", "/webhooks", body), http.StatusTooManyRequests)
	page := b.call("GET", "/webhooks?limit=15", "")
	rest := b.call("GET", "/webhooks?limit=15&cursor="+page.String("next_cursor"), "")
	if n, m := len(items(t, page)), len(items(t, rest)); n != 15 || m != webhooks.MaxTargets-15 || rest.String("next_cursor") != "" {
		t.Errorf("parts of %d and %d", n, m)
	}
}

// Each operation needs its scope.
func TestWebhookScopes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const body = `{"url":"https://example.com/hook"}`
	for scope, want := range map[string][2]int{
		"latchkey:webhooks:read":  {http.StatusOK, http.StatusForbidden},
		"latchkey:webhooks:write": {http.StatusForbidden, http.StatusCreated},
		"latchkey:audit:read":     {http.StatusForbidden, http.StatusForbidden},
	} {
		token := servertest.Header("Authorization", "Bearer "+b.issue(b.root, scope))
		b.call("GET", "/webhooks", "", token).Expect(want[0])
		b.call("POST", "/webhooks", body, token).Expect(want[1])
	}
}
