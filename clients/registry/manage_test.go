package registry_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/storage"
)

// What a client registers is what everybody reads.
func TestAddedClientIsReadBackWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	overlap := clients.Duration(0)
	m := clients.Metadata{
		ClientName: "App", RedirectURIs: []string{"https://a.example/cb"}, Scope: "read write",
		JWKS: json.RawMessage(`{"keys":[{"kty":"OKP","x":"1"}]}`), Contacts: []string{"a@example.com"},
	}
	p := clients.Policy{Rotation: clients.RotationOff, RotationOverlap: &overlap, AccessTokenTTL: clients.Duration(time.Minute), FirstParty: true}
	added, secret, err := b.Add(t.Context(), clients.Registration{ID: "app", Metadata: m, Policy: p})
	if err != nil || secret == "" {
		t.Fatal(err)
	}
	found := b.find(b.registry("a"), "app")
	if diff := cmp.Diff(added, found, cmp.AllowUnexported(clients.Client{})); diff != "" {
		t.Error(diff)
	}
	if !found.CreatedAt.Equal(b.clock.Now()) || found.Version != 1 || found.AuthEpoch != b.clock.Now().UnixMicro() {
		t.Errorf("%+v", found)
	}
	if !slices.Equal(found.Scopes(), []string{"read", "write"}) || !found.Allows("authorization_code") || found.Allows("password") || found.Public() || !found.HasSecret() {
		t.Errorf("%+v", found)
	}
	wantM, wantP, _ := clients.Validate(m, p)
	if diff := cmp.Diff(wantM, found.Metadata) + cmp.Diff(wantP, found.Policy); diff != "" {
		t.Error(diff)
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("app", service())
	if _, _, err := b.Add(t.Context(), clients.Registration{ID: "app", Metadata: service()}); !errors.Is(err, storage.ErrExists) {
		t.Errorf("a taken ID: %v", err)
	}
	var wrong *clients.MetadataError
	if _, _, err := b.Add(t.Context(), clients.Registration{ID: "a\nb", Metadata: service()}); !errors.As(err, &wrong) || wrong.Field != "client_id" {
		t.Errorf("a malformed ID: %v", err)
	}
	if _, _, err := b.Add(t.Context(), clients.Registration{Metadata: clients.Metadata{GrantTypes: []string{"x"}}}); !errors.As(err, &wrong) {
		t.Errorf("bad metadata: %v", err)
	}
	list, err := b.List(t.Context(), "", 10)
	if err != nil || len(list) != 1 {
		t.Errorf("%d clients, %v", len(list), err)
	}
}

// RFC 7591 §3.2.1.
func TestRegistrationResponse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, secret := b.add("app", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	var shown map[string]any
	render := func(c *clients.Client, secret storage.Secret) {
		t.Helper()
		raw, err := json.Marshal(c.Response(secret))
		if err != nil {
			t.Fatal(err)
		}
		shown = nil
		if err := json.Unmarshal(raw, &shown); err != nil {
			t.Fatal(err)
		}
	}
	render(c, secret)
	want := map[string]any{
		"client_id": "app", "client_secret": secret.Reveal(), "client_secret_expires_at": 0.0,
		"client_id_issued_at": float64(b.clock.Now().Unix()), "application_type": "web",
		"redirect_uris": []any{"https://a.example/cb"}, "grant_types": []any{"authorization_code"},
		"response_types": []any{"code"}, "token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": "RS256",
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error(diff)
	}
	render(c, "")
	if _, ok := shown["client_secret"]; ok || shown["client_secret_expires_at"] != nil {
		t.Errorf("without a secret: %v", shown)
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret := b.add("app", service())
	b.clock.Advance(time.Second)
	c, err := b.Update(t.Context(), "app", func(reg *clients.Registration) error {
		reg.Scope, reg.GrantTypes, reg.AccessTokenTTL = "read", append(reg.GrantTypes, "password"), clients.Duration(time.Hour)
		reg.Actor = "client"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	found := b.find(b.Registry, "app")
	if diff := cmp.Diff(c, found, cmp.AllowUnexported(clients.Client{})); diff != "" {
		t.Error(diff)
	}
	if found.Scope != "read" || !found.Allows("password") || found.Version != 2 || !b.CheckSecret(found, secret) || !found.UpdatedAt.Equal(b.clock.Now()) {
		t.Errorf("%+v", found)
	}
	last := b.audit()[1]
	if last.Action != "client_updated" || last.Actor != "client" || string(last.Details) != `{"fields":["access_token_ttl","grant_types","scope"]}` {
		t.Errorf("audit %+v %s", last, last.Details)
	}
	if _, err := b.Update(t.Context(), "app", func(*clients.Registration) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := len(b.audit()); n != 2 || b.find(b.Registry, "app").Version != 2 {
		t.Error("a change of nothing was stored")
	}
	var wrong *clients.MetadataError
	for name, change := range map[string]func(*clients.Registration) error{
		"another ID":   func(reg *clients.Registration) error { reg.ID = "x"; return nil },
		"bad metadata": func(reg *clients.Registration) error { reg.Scope = `"`; return nil },
	} {
		if _, err := b.Update(t.Context(), "app", change); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stop := errors.New("stop")
	if _, err := b.Update(t.Context(), "app", func(*clients.Registration) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the caller's own error: %v", err)
	}
	if _, err := b.Update(t.Context(), "nobody", func(*clients.Registration) error { return nil }); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestUpdateOfGrantTypesAloneKeepsResponseTypesInStep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("app", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	for _, c := range []struct{ grants, responses []string }{
		{[]string{"password"}, nil}, {[]string{"authorization_code", "password"}, []string{"code"}},
	} {
		got, err := b.Update(t.Context(), "app", func(reg *clients.Registration) error { reg.GrantTypes = c.grants; return nil })
		if err != nil || !slices.Equal(got.ResponseTypes, c.responses) {
			t.Errorf("%v: %v, %v", c.grants, got, err)
		}
	}
	_, err := b.Update(t.Context(), "app", func(reg *clients.Registration) error { reg.ResponseTypes = []string{"token"}; return nil })
	if err == nil {
		t.Error("a response type that is asked for is not checked")
	}
}

func TestConcurrentUpdatesAreBothKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("app", service())
	other := b.registry("a")
	meanwhile := func() {
		if _, err := other.Update(t.Context(), "app", func(reg *clients.Registration) error { reg.Scope = "read"; return nil }); err != nil {
			t.Error(err)
		}
	}
	b.store.beforeWrite.Store(&meanwhile)
	c, err := b.Update(t.Context(), "app", func(reg *clients.Registration) error { reg.ClientName = "App"; return nil })
	if err != nil || c.Scope != "read" || c.ClientName != "App" || c.Version != 3 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestRotateSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, first := b.add("app", service())
	good := func(s storage.Secret) bool { return b.CheckSecret(b.find(b.Registry, "app"), s) }
	rotate := func(keep time.Duration) storage.Secret {
		t.Helper()
		s, err := b.RotateSecret(t.Context(), "app", keep)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	second := rotate(time.Hour)
	if !good(first) || !good(second) {
		t.Error("both must be good for an hour")
	}
	b.clock.Advance(time.Hour)
	if good(first) || !good(second) {
		t.Error("the first must end after an hour")
	}
	third := rotate(0)
	if good(first) || good(second) || !good(third) {
		t.Error("only the third must be good")
	}
	fourth := rotate(time.Hour)
	fifth := rotate(time.Hour)
	if good(third) || !good(fourth) || !good(fifth) {
		t.Error("two secrets must be good, and no third")
	}
	for _, keep := range []time.Duration{-1, 91 * 24 * time.Hour} {
		if _, err := b.RotateSecret(t.Context(), "app", keep); err == nil {
			t.Errorf("keep %s", keep)
		}
	}
	if _, err := b.RotateSecret(t.Context(), "nobody", 0); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	b.add("spa", clients.Metadata{GrantTypes: []string{"password"}, TokenEndpointAuthMethod: "none"})
	if _, err := b.RotateSecret(t.Context(), "spa", 0); !errors.Is(err, registry.ErrNoSecret) {
		t.Errorf("public: %v", err)
	}
}

func TestClientThatBecomesPublicLosesItsSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, secret := b.add("app", clients.Metadata{GrantTypes: []string{"password"}})
	second, err := b.RotateSecret(t.Context(), "app", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"none", "client_secret_basic"} {
		c, err := b.Update(t.Context(), "app", func(reg *clients.Registration) error {
			reg.TokenEndpointAuthMethod = method
			return nil
		})
		if err != nil || c.HasSecret() || b.CheckSecret(c, secret) || b.CheckSecret(c, second) || b.CheckSecret(c, "") {
			t.Errorf("%s: a secret is good, %v", method, err)
		}
	}
	third, err := b.RotateSecret(t.Context(), "app", time.Hour)
	if err != nil || !b.CheckSecret(b.find(b.Registry, "app"), third) || b.CheckSecret(b.find(b.Registry, "app"), second) {
		t.Errorf("a new secret: %v", err)
	}
}

func TestDisablingEndsGrantsForGood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c, _ := b.add("app", service())
	for range 2 { // with a clock that stands still too
		before := b.find(b.Registry, "app").AuthEpoch
		for range 2 { // disabling what is disabled changes nothing
			if err := b.SetDisabled(t.Context(), "app", true); err != nil {
				t.Fatal(err)
			}
		}
		disabled := b.find(b.Registry, "app")
		if !disabled.Disabled || disabled.AuthEpoch <= before {
			t.Fatalf("disabled: %+v", disabled)
		}
		if err := b.SetDisabled(t.Context(), "app", false); err != nil {
			t.Fatal(err)
		}
		if enabled := b.find(b.Registry, "app"); enabled.Disabled || enabled.AuthEpoch != disabled.AuthEpoch {
			t.Fatalf("enabled: %+v", enabled)
		}
	}
	if err := b.Remove(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client(t.Context(), "app"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	for name, err := range map[string]error{
		"remove": b.Remove(t.Context(), "app"), "disable": b.SetDisabled(t.Context(), "app", true),
	} {
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("%s what is not there: %v", name, err)
		}
	}
}

func TestEveryChangeOfAClientIsAnAuditEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(time.Second)
	}
	_, secret, err := b.Add(t.Context(), clients.Registration{ID: "app", Metadata: service()})
	step(err)
	_, err = b.Update(t.Context(), "app", func(reg *clients.Registration) error { reg.Scope = "read"; return nil })
	step(err)
	rotated, err := b.RotateSecret(t.Context(), "app", time.Hour)
	step(err)
	step(b.SetDisabled(t.Context(), "app", true))
	step(b.SetDisabled(t.Context(), "app", false))
	step(b.Remove(t.Context(), "app"))
	type fact struct{ Action, Actor, ClientID, Outcome string }
	var got []fact
	for _, e := range b.audit() {
		got = append(got, fact{e.Action, e.Actor, e.ClientID, e.Outcome})
		if s := string(e.Details); strings.Contains(s, secret.Reveal()) || strings.Contains(s, rotated.Reveal()) {
			t.Errorf("%s holds a secret", e.Action)
		}
	}
	var want []fact
	for _, action := range []string{
		"client_created", "client_updated", "client_secret_rotated", "client_disabled", "client_enabled", "client_removed",
	} {
		want = append(want, fact{action, "operator", "app", "success"})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBuiltInClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 2 {
		if err := b.EnsureSimpleJWT(t.Context(), clients.Policy{}); err != nil {
			t.Fatal(err)
		}
	}
	c := b.find(b.Registry, clients.SimpleJWTID)
	if !c.Public() || !c.FirstParty || !c.Allows("password") || !c.Allows("refresh_token") || c.Allows("client_credentials") || c.AccessTokenFormat != clients.FormatSimpleJWT {
		t.Errorf("%+v", c)
	}
	if events := b.audit(); len(events) != 1 || events[0].Actor != "server" {
		t.Errorf("%d audit events", len(events))
	}
	if _, err := b.Update(t.Context(), c.ID, func(reg *clients.Registration) error { reg.Rotation = clients.RotationStrict; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureSimpleJWT(t.Context(), clients.Policy{Rotation: clients.RotationReissue}); err != nil {
		t.Fatal(err)
	}
	if got := b.find(b.Registry, c.ID).Rotation; got != clients.RotationStrict {
		t.Errorf("what the operator chose became %s", got)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, id := range []string{"c", "a", "b"} {
		b.add(id, service())
	}
	list, err := b.List(t.Context(), "a", 1)
	want := []*clients.Client{{ID: "b"}}
	if diff := cmp.Diff(want, list, cmpopts.IgnoreUnexported(clients.Client{}), cmp.Transformer("id", func(c clients.Client) string { return c.ID })); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

// A client that authenticates with its own key gets no secret, and has none left when it takes to one.
func TestClientsWithKeysHaveNoSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := clients.Metadata{
		RedirectURIs: []string{"https://a.example/cb"}, TokenEndpointAuthMethod: clients.AuthPrivateKeyJWT, JWKSURI: "https://a.example/jwks",
	}
	c, secret := b.add("keys", m)
	if secret != "" || c.HasSecret() || c.Public() {
		t.Error("a secret was made")
	}
	if _, err := b.RotateSecret(t.Context(), "keys", 0); !errors.Is(err, registry.ErrNoSecret) {
		t.Errorf("rotate: %v", err)
	}
	_, secret = b.add("web", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	c, err := b.Update(t.Context(), "web", func(reg *clients.Registration) error { reg.Metadata = m; return nil })
	if err != nil || c.HasSecret() || b.CheckSecret(c, secret) {
		t.Errorf("the secret of before is good: %v", err)
	}
}

func TestVerified(t *testing.T) {
	t.Parallel()
	for origin, want := range map[storage.ClientOrigin]bool{storage.OriginOperator: true, storage.OriginRegistration: false, storage.OriginDocument: false, "": false} {
		c := &clients.Client{Origin: origin}
		if c.Verified() != want || c.Unverified() == want {
			t.Errorf("%q: %v", origin, c.Verified())
		}
		c.Policy.Verified = true
		if !c.Verified() {
			t.Errorf("%q is not verified by an operator", origin)
		}
	}
	b := setup(t)
	if c, _ := b.add("web", service()); !c.Verified() {
		t.Error("an operator's client is not verified")
	}
}
