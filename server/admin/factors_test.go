package admin_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// factor stores a factor of alice.
func (b *bundle) factor(kind storage.FactorKind, name string) string {
	b.t.Helper()
	f := &storage.Factor{ID: storage.NewID(b.Clock.Now()), UserID: servertest.UserID, Kind: kind, Name: name, CreatedAt: b.Clock.Now()}
	if kind == storage.FactorBrowser {
		f.ExpiresAt = b.Clock.Now().Add(time.Hour)
	}
	if kind != storage.FactorTOTP {
		f.Lookup = storage.Digest(append(f.ID[:], f.ID[:]...))
	}
	u, err := b.Store.User(b.t.Context(), servertest.UserID)
	if err != nil {
		b.t.Fatal(err)
	}
	f.UserEpoch = u.AuthEpoch
	if err := b.Store.CreateFactors(b.t.Context(), storage.NewFactors{UserID: servertest.UserID, Limit: 100, Factors: []*storage.Factor{f}}, nil); err != nil {
		b.t.Fatal(err)
	}
	return f.ID.String()
}

// ignoring is a client whose password grant doesn't ask for a second factor.
func ignoring(id string) clients.Registration {
	return clients.Registration{
		ID: id, Policy: clients.Policy{PasswordGrantSecondFactor: clients.SecondFactorIgnore},
		Metadata: clients.Metadata{GrantTypes: []string{"password", "refresh_token"}},
	}
}

// An operator sees which factors a user has and no secret of them, removes one, or all; sessions end with a second factor, not with a
// browser, and not with a dry run or before their number is confirmed.
func TestFactorsOfAUser(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/users/" + strconv.Itoa(servertest.UserID) + "/factors"
	phone, key, browser := b.factor(storage.FactorTOTP, "Phone"), b.factor(storage.FactorWebAuthn, "Key"), b.factor(storage.FactorBrowser, "Firefox")
	b.factor(storage.FactorRecovery, "")
	count := func(a *servertest.Answer) int {
		list, _ := a.Expect(http.StatusOK).JSON()["factors"].([]any)
		return len(list)
	}
	shown := b.call("GET", path, "")
	if count(shown) != 3 || shown.JSON()["recovery_codes"] != 1.0 {
		t.Errorf("the factors are %s", shown.Body)
	}
	tokens := b.Login(b.AddClient(ignoring("ignoring")))
	_ = b.Login(b.AddClient(ignoring("other")))
	alive := func() bool { return b.Introspect(b.Inspector, tokens.Access).JSON()["active"] == true }

	if a := b.call("DELETE", path+"/"+browser, ""); count(a) != 2 || !alive() {
		t.Errorf("without the browser: %s", a.Body)
	}
	b.problem(b.call("DELETE", path+"/"+browser, ""), http.StatusNotFound)
	b.problem(b.call("DELETE", path+"/nonsense", ""), http.StatusUnprocessableEntity)
	b.problem(b.call("DELETE", "/users/4711/factors", ""), http.StatusNotFound)
	if p := b.problem(b.call("DELETE", path+"/"+key, ""), http.StatusConflict); p["type"] != "urn:latchkey:problem:confirm" {
		t.Errorf("two sessions would end: %v", p)
	}
	if a := b.call("DELETE", path+"/"+key+"?dry_run=true&confirm_count=2", ""); count(a) != 2 || !alive() {
		t.Errorf("a dry run: %s", a.Body)
	}
	if a := b.call("DELETE", path+"/"+key+"?confirm_count=2", ""); count(a) != 1 || alive() {
		t.Errorf("without the key: %s", a.Body)
	}
	b.audited("factor_removed", "client:automation")

	tokens = b.Login(b.AddClient(ignoring("third")))
	b.problem(b.call("DELETE", path, "", as("x")), http.StatusUnauthorized)
	if a := b.call("DELETE", path+"?dry_run=true", ""); count(a) != 1 || !alive() {
		t.Errorf("a dry run of all: %s", a.Body)
	}
	if a := b.call("DELETE", path, ""); count(a) != 0 || a.JSON()["recovery_codes"] != 0.0 || alive() {
		t.Errorf("after all: %s", a.Body)
	}
	b.audited("factors_reset", "client:automation")
	// Again: there is nothing, so that no session ends.
	tokens = b.Login(b.AddClient(ignoring("fourth")))
	if a := b.call("DELETE", path, ""); count(a) != 0 || !alive() {
		t.Errorf("again: %s", a.Body)
	}
	b.problem(b.call("DELETE", path+"/"+phone, ""), http.StatusNotFound)
}
