package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/server/admin"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// mergePatch is the content type of RFC 7396.
var mergePatch = servertest.Header("Content-Type", "application/merge-patch+json")

// A client is registered, found, changed by a merge patch, given another secret, disabled and removed; its secret is in the answers that
// make it, and in no other.
func TestClients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Clock.Advance(time.Second)
	a := b.call("POST", "/clients", `{"client_id":"shop","client_name":"Shop","grant_types":["password","refresh_token"],"access_token_ttl":"10m"}`).Expect(http.StatusCreated)
	secret := a.String("client_secret")
	path := strings.TrimPrefix(a.Header.Get("Location"), admin.Prefix)
	tag := a.Header.Get("ETag")
	if path != "/clients/shop" || tag == "" || !strings.HasPrefix(secret, "lk_cs_") || a.String("access_token_ttl") != "10m" {
		t.Fatalf("%s at %q with %q", a.Body, path, tag)
	}
	login := func(secret, outcome string) {
		t.Helper()
		a := b.Token(servertest.Client{ID: "shop", Secret: storage.Secret(secret)}, "grant_type", "password", "username", servertest.Username, "password", servertest.Password)
		if got := a.String("error"); got != outcome {
			t.Errorf("login: %s, want %q", a.Body, outcome)
		}
	}
	login(secret, "")
	a = b.call("GET", path, "").Expect(http.StatusOK)
	if strings.Contains(a.Body, secret) || a.Header.Get("ETag") != tag || a.JSON()["has_secret"] != true || a.String("origin") != "operator" {
		t.Errorf("shown: %s", a.Body)
	}
	b.problem(b.call("PATCH", path, `{"client_name":"Other"}`, mergePatch), http.StatusPreconditionRequired)
	b.problem(b.call("PATCH", path, `{"access_token_ttl":"soon","redirect_uris":["javascript:x"]}`, mergePatch, anyway), http.StatusUnprocessableEntity)
	a = b.call("PATCH", path, `{"client_name":"Other","access_token_ttl":null}`, mergePatch, servertest.Header("If-Match", tag)).Expect(http.StatusOK)
	if a.String("client_name") != "Other" || a.JSON()["access_token_ttl"] != nil || fmt.Sprint(a.JSON()["grant_types"]) != "[password refresh_token]" {
		t.Errorf("changed: %s", a.Body)
	}
	b.problem(b.call("PATCH", path, `{"client_name":"Third"}`, mergePatch, servertest.Header("If-Match", tag)), http.StatusPreconditionFailed)

	second := b.call("POST", path+"/secret", `{"keep_old":"1h"}`, anyway).Expect(http.StatusOK)
	login(secret, "")
	login(second.String("client_secret"), "")
	if second.JSON()["old_secret_expires_at"] == nil {
		t.Errorf("rotated: %s", second.Body)
	}
	b.Clock.Advance(2 * time.Hour)
	b.token = b.issue(b.root, allScopes())
	login(secret, "invalid_client")
	b.problem(b.call("POST", path+"/secret", `{"keep_old":"99999d"}`, anyway), http.StatusUnprocessableEntity)

	b.problem(b.call("POST", path+"/disable", "", anyway), http.StatusConflict) // two sessions
	b.call("POST", path+"/disable?confirm_count=9", "", anyway).Expect(http.StatusOK)
	login(second.String("client_secret"), "invalid_client")
	b.call("POST", path+"/enable", "", anyway).Expect(http.StatusOK)
	login(second.String("client_secret"), "")
	b.call("DELETE", path, "", anyway).Expect(http.StatusOK)
	b.problem(b.call("GET", path, ""), http.StatusNotFound)
	for _, action := range []string{"client_created", "client_updated", "client_secret_rotated", "client_disabled", "client_enabled", "client_removed"} {
		b.audited(action, "client:automation")
	}
}

// Filters select clients; a page goes on where the one before ended.
func TestClientFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 5 {
		b.call("POST", "/clients", fmt.Sprintf(`{"client_id":"shop-%d","client_name":"Böck %d","grant_types":["client_credentials"]}`, i, i)).Expect(http.StatusCreated)
	}
	b.call("POST", "/clients/shop-3/disable", "", anyway).Expect(http.StatusOK)
	ids := func(query string) string {
		var ids []string
		for next := ""; ; {
			a := b.call("GET", "/clients?limit=2"+query+next, "")
			for _, c := range items(t, a) {
				ids = append(ids, c["client_id"].(string))
			}
			if next = a.String("next_cursor"); next == "" {
				return strings.Join(ids, " ")
			}
			next = "&cursor=" + next
		}
	}
	for query, want := range map[string]string{
		"&search=SHOP-":              "shop-0 shop-1 shop-2 shop-3 shop-4",
		"&search=b%C3%B6ck+4":        "shop-4",
		"&search=shop&disabled=true": "shop-3",
		"&origin=registration":       "",
		"&search=100%25":             "",
	} {
		if got := ids(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// A creation that is repeated with its key shows no secret; a dry run shows none and makes none.
func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := servertest.Header("Idempotency-Key", "k-1")
	for path, c := range map[string]struct{ body, member string }{
		"/clients":             {`{"client_id":"shop","grant_types":["client_credentials"]}`, "client_secret"},
		"/registration-tokens": {`{"name":"dev","policy":{"first_party":true}}`, "registration_token"},
	} {
		if a := b.call("POST", path+"?dry_run=true", c.body, key).Expect(http.StatusCreated); a.String(c.member) != "" {
			t.Errorf("%s: dry run: %s", path, a.Body)
		}
		first := b.call("POST", path, c.body, key).Expect(http.StatusCreated)
		again := b.call("POST", path, c.body, key).Expect(http.StatusCreated)
		if first.String(c.member) == "" || again.String(c.member) != "" || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: %s, then %s", path, first.Body, again.Body)
		}
		for _, list := range []string{path, strings.TrimPrefix(first.Header.Get("Location"), admin.Prefix)} {
			if a := b.call("GET", list, "").Expect(http.StatusOK); strings.Contains(a.Body, first.String(c.member)) {
				t.Errorf("%s shows the secret: %s", list, a.Body)
			}
		}
	}
	before := b.call("GET", "/clients/shop", "")
	b.call("POST", "/clients/shop/secret?dry_run=true", `{}`, anyway).Expect(http.StatusOK)
	b.call("PATCH", "/clients/shop?dry_run=true", `{"client_name":"X"}`, anyway).Expect(http.StatusOK)
	b.call("POST", "/clients/shop/disable?dry_run=true", "", anyway).Expect(http.StatusOK)
	b.call("DELETE", "/clients/shop?dry_run=true", "", anyway).Expect(http.StatusOK)
	if after := b.call("GET", "/clients/shop", ""); after.Body != before.Body || after.Header.Get("ETag") != before.Header.Get("ETag") {
		t.Errorf("a dry run changed %s to %s", before.Body, after.Body)
	}
	b.problem(b.call("POST", "/clients?dry_run=true", `{"client_id":"shop","grant_types":["client_credentials"]}`), http.StatusConflict)
}

// The doctor of a client says why it was refused and what to do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call("POST", "/clients", `{"client_id":"shop","grant_types":["client_credentials"]}`).Expect(http.StatusCreated)
	b.Token(servertest.Client{ID: "shop", Secret: "wrong"}, "grant_type", "client_credentials").Expect(http.StatusUnauthorized)
	a := b.call("GET", "/clients/shop/refusals", "").Expect(http.StatusOK)
	for end := time.Now().Add(time.Minute); strings.Contains(a.Body, "[]") && time.Now().Before(end); time.Sleep(time.Millisecond) {
		a = b.call("GET", "/clients/shop/refusals", "").Expect(http.StatusOK) // the event is written after the answer
	}
	if !strings.Contains(a.Body, `"error":"invalid_client"`) || !strings.Contains(a.Body, "rotate-secret") {
		t.Errorf("refusals: %s", a.Body)
	}
}

// Protected resources are named by their identifier, percent-encoded.
func TestResources(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const id = "https://api.example/v1?x=1"
	a := b.call("POST", "/resources", `{"resource":"`+id+`","name":"API","scope":["read"]}`).Expect(http.StatusCreated)
	path := strings.TrimPrefix(a.Header.Get("Location"), admin.Prefix)
	if path != "/resources/"+url.PathEscape(id) {
		t.Errorf("Location %s", path)
	}
	b.call("GET", path, "").Expect(http.StatusOK)
	b.problem(b.call("POST", "/resources", `{"resource":"`+id+`"}`), http.StatusConflict)
	b.problem(b.call("POST", "/resources", `{"resource":"https://api.example/#x"}`), http.StatusUnprocessableEntity)
	b.problem(b.call("POST", "/resources", `{"resource":"https://other.example/","scope":["latchkey:users:read"]}`), http.StatusUnprocessableEntity)
	b.problem(b.call("DELETE", path, ""), http.StatusPreconditionRequired)
	b.call("DELETE", path+"?dry_run=true", "", anyway).Expect(http.StatusOK)
	if n := len(items(t, b.call("GET", "/resources", ""))); n != 1 {
		t.Errorf("%d resources", n)
	}
	b.call("DELETE", path, "", anyway).Expect(http.StatusOK)
	b.problem(b.call("GET", path, ""), http.StatusNotFound)
}

// An initial access token is created with policies, used up and revoked.
func TestRegistrationTokens(t *testing.T) {
	t.Parallel()
	b := setup(t, configuredBy("token"))
	a := b.call("POST", "/registration-tokens", `{"name":"dev","uses":2,"ttl":"1h","policy":{"first_party":true}}`).Expect(http.StatusCreated)
	if a.JSON()["uses"] != float64(2) || !strings.Contains(a.Body, `"first_party":true`) {
		t.Errorf("created: %s", a.Body)
	}
	b.PostForm("/oauth2/register", nil, servertest.Header("Content-Type", "application/json"), bodyOf(`{"redirect_uris":["https://app.example/cb"]}`),
		servertest.Header("Authorization", "Bearer "+a.String("registration_token"))).Expect(http.StatusCreated)
	path := "/registration-tokens/" + a.String("id")
	if a := b.call("GET", path, "").Expect(http.StatusOK); a.JSON()["uses"] != float64(1) {
		t.Errorf("after one use: %s", a.Body)
	}
	for _, body := range []string{
		`{"ttl":"never"}`, `{"policy":{"nothing":1}}`, `{"policy":{"rotation":"other"}}`, `{"policy":[]}`, `{"policy":{"FIRST_PARTY":true}}`,
		`{"policy":{"first_party":false,"First_Party":true}}`, `{"policy":{"re\u017fources":["https://a.example"]}}`, `{"uses":-2}`, `{"uses":0}`,
	} {
		b.problem(b.call("POST", "/registration-tokens", body), http.StatusUnprocessableEntity)
	}
	for body, uses := range map[string]any{`{}`: 1.0, `{"uses":1}`: 1.0, `{"uses":-1}`: nil} {
		if a := b.call("POST", "/registration-tokens", body).Expect(http.StatusCreated); a.JSON()["uses"] != uses {
			t.Errorf("%s: %s", body, a.Body)
		}
	}
	b.call("DELETE", path, "").Expect(http.StatusOK)
	b.problem(b.call("DELETE", path, ""), http.StatusNotFound)
	b.audited("registration_token_added", "client:automation")
	b.audited("registration_token_removed", "client:automation")
}

// Consents are listed by user and by client; taking one back ends the sessions that came of it, once their number is confirmed.
func TestConsents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := b.Clock.Now()
	if err := b.Store.GrantConsent(t.Context(), &storage.Consent{
		UserID: servertest.UserID, ClientID: b.Backend.ID, Scope: []string{"openid"}, CreatedAt: now, UpdatedAt: now,
	}, nil); err != nil {
		t.Fatal(err)
	}
	login := b.Login(b.Backend)
	b.Login(b.Backend)
	for query, want := range map[string]int{"": 1, "?user_id=1": 1, "?client_id=" + b.Backend.ID: 1, "?user_id=2": 0, "?client_id=nothing": 0} {
		if got := items(t, b.call("GET", "/consents"+query, "")); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	path := "/users/1/consents/" + b.Backend.ID
	b.problem(b.call("DELETE", "/users/1/consents/nothing", ""), http.StatusNotFound)
	b.problem(b.call("DELETE", path, ""), http.StatusConflict)
	b.call("DELETE", path+"?confirm_count=2&dry_run=true", "").Expect(http.StatusOK)
	b.call("DELETE", path+"?confirm_count=2", "").Expect(http.StatusOK).ExpectBody(`{"sessions":2}`)
	if n := len(items(t, b.call("GET", "/consents", ""))); n != 0 {
		t.Errorf("%d consents are left", n)
	}
	b.Token(b.Backend, "grant_type", "refresh_token", "refresh_token", login.Refresh).ExpectError(http.StatusBadRequest, "invalid_grant")
	b.audited("consent_revoked", "client:automation")
}

// Keys are listed without their private parts, replaced and retired.
func TestKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := items(t, b.call("GET", "/keys", ""))
	made := items(t, b.call("POST", "/keys/rotate", `{"alg":"EdDSA","immediately":true}`))
	if len(made) != 1 || made[0]["alg"] != "EdDSA" || made[0]["state"] != "active" {
		t.Errorf("made %v", made)
	}
	a := b.call("GET", "/keys?limit=500", "")
	if n := len(items(t, a)); n != len(before)+1 || strings.Contains(a.Body, `"d":`) || strings.Contains(a.Body, "sealed\":\"") {
		t.Errorf("keys: %s", a.Body)
	}
	kid := made[0]["kid"].(string)
	b.problem(b.call("POST", "/keys/rotate", `{"alg":"none"}`), http.StatusUnprocessableEntity)
	b.problem(b.call("POST", "/keys/nothing/retire", ""), http.StatusNotFound)
	b.call("POST", "/keys/"+kid+"/retire?dry_run=true", "").Expect(http.StatusOK)
	b.call("POST", "/keys/"+kid+"/retire", "").Expect(http.StatusOK)
	b.problem(b.call("POST", "/keys/"+kid+"/retire", ""), http.StatusNotFound)
	b.audited("signing_key_retired", "client:automation")
}

// The audit trail is filtered and read page by page, newest first.
func TestAuditEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"bob", "carol", "dave"} {
		b.Clock.Advance(time.Minute)
		b.call("POST", "/users", `{"username":"`+name+`"}`).Expect(http.StatusCreated)
	}
	var names []string
	for next := ""; ; {
		a := b.call("GET", "/audit-events?action=user_created&limit=1"+next, "")
		for _, e := range items(t, a) {
			names = append(names, fmt.Sprint(e["username"]))
		}
		if next = a.String("next_cursor"); next == "" {
			break
		}
		next = "&cursor=" + next
	}
	if got := strings.Join(names, " "); !strings.HasPrefix(got, "dave carol bob") {
		t.Errorf("events of %s", got)
	}
	at := func(d time.Duration) string { return url.QueryEscape(b.Clock.Now().Add(d).UTC().Format(time.RFC3339)) }
	for query, want := range map[string]int{
		"&since=" + at(-90*time.Second):                                   2,
		"&since=" + at(-90*time.Second) + "&until=" + at(-30*time.Second): 1,
		"&client_id=nothing":                                              0,
		"&session_id=019c0000-0000-7000-8000-000000000000":                0,
		"&user_id=4711": 0,
	} {
		if got := items(t, b.call("GET", "/audit-events?action=user_created"+query, "")); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
}

// What clients of HTTP take out of a path can be no client_id: nobody could show, change or remove such a client.
func TestClientsThatNoURLCanName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, id := range []string{".", ".."} {
		b.problem(b.call("POST", "/clients", fmt.Sprintf(`{"client_id":%q,"grant_types":["client_credentials"]}`, id)), http.StatusUnprocessableEntity)
	}
	b.call("POST", "/clients", `{"client_id":"...","grant_types":["client_credentials"]}`).Expect(http.StatusCreated)
}

// late is a store in which what is removed was removed a moment before by somebody else.
type late struct{ storage.Store }

func (l late) RemoveRegistrationToken(ctx context.Context, id storage.ID, e *storage.AuditEvent) error {
	if err := l.Store.RemoveRegistrationToken(ctx, id, e); err != nil {
		return err
	}
	return l.Store.RemoveRegistrationToken(ctx, id, e)
}

// A token that another request removes meanwhile is not found, by its name, as one that was never there.
func TestRegistrationTokenThatIsRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t, configuredBy("token"), servertest.Store(late{sqlitetest.SQLite(t)}))
	path := "/registration-tokens/" + b.call("POST", "/registration-tokens", `{"name":"dev"}`).Expect(http.StatusCreated).String("id")
	meanwhile := b.problem(b.call("DELETE", path, ""), http.StatusNotFound)
	if never := b.problem(b.call("DELETE", path, ""), http.StatusNotFound); meanwhile["detail"] != never["detail"] {
		t.Errorf("%q is said of one that was removed meanwhile, and %q of none", meanwhile["detail"], never["detail"])
	}
}
