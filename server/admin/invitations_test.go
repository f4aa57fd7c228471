package admin_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"latchkey/server"
	"latchkey/server/selfhelp"
	"latchkey/server/servertest"
)

// Invitations are made, listed, shown and withdrawn over HTTP by the rules of the command; the link is in one answer only, and leads nowhere
// once it was withdrawn.
func TestInvitationsOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t, servertest.Configure(func(c *server.Config) { c.SignUp = selfhelp.SignUpInvite }))
	body := `{"email":"ann@example.com","groups":["staff"],"ttl":"1d"}`
	key := servertest.Header("Idempotency-Key", "k1")
	made := b.call("POST", "/invitations", body, key).Expect(http.StatusCreated)
	id, link := made.String("id"), made.String("link")
	if !strings.HasPrefix(made.Header.Get("Location"), "/admin/v1/invitations/"+id) || !strings.Contains(link, "/sign-up/finish?token=lk_ml_") {
		t.Fatalf("%s %s", made.Header.Get("Location"), made.Body)
	}
	again := b.call("POST", "/invitations", body, key).Expect(http.StatusCreated)
	if again.String("id") != id || again.JSON()["link"] != nil || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same key again: %s", again.Body)
	}
	for _, bad := range []string{`{"email":"no address"}`, `{"ttl":"91d"}`, `{"ttl":"-1h"}`, `{"ttl":"soon"}`, `{"groups":[""]}`, `{"groups":"x"}`, `{"unknown":1}`, ``, `[]`} {
		if a := b.call("POST", "/invitations", bad); a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, a.Status, a.Body)
		}
	}
	b.call("POST", "/invitations?dry_run=true", `{}`).Expect(http.StatusCreated)
	list := b.call("GET", "/invitations", "").Expect(http.StatusOK)
	if items, _ := list.JSON()["items"].([]any); len(items) != 1 || strings.Contains(list.Body, "lk_ml_") {
		t.Errorf("the list: %s", list.Body)
	}
	if shown := b.call("GET", "/invitations/"+id, "").Expect(http.StatusOK); shown.String("email") != "ann@example.com" || shown.JSON()["link"] != nil {
		t.Errorf("shown: %s", shown.Body)
	}
	b.Browser().Get(link).Expect(http.StatusOK)
	b.call("DELETE", "/invitations/"+id+"?dry_run=true", "").Expect(http.StatusOK)
	var wg sync.WaitGroup
	answers := make([]*servertest.Answer, 8)
	for i := range answers {
		wg.Go(func() { answers[i] = b.call("DELETE", "/invitations/"+id, "") })
	}
	wg.Wait()
	good := 0
	for _, a := range answers {
		if a.Status == http.StatusOK {
			good++
		} else if a.Status != http.StatusNotFound {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if good != 1 {
		t.Errorf("%d withdrew it", good)
	}
	b.Browser().Get(link).Expect(http.StatusGone)
	b.call("GET", "/invitations/"+id, "").Expect(http.StatusNotFound)
	b.call("GET", "/invitations/nonsense", "").Expect(http.StatusUnprocessableEntity)
}

// Where nobody can make an account, an invitation is refused with the setting to change.
func TestNoInvitationsWithoutSignUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if a := b.call("POST", "/invitations", `{}`).Expect(http.StatusConflict); !strings.Contains(a.Body, "LATCHKEY_SIGN_UP") {
		t.Error(a.Body)
	}
	b.call("GET", "/invitations", "").Expect(http.StatusOK)
}
