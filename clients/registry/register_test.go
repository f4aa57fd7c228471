package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/clients/registry"
	"latchkey/storage"
	"latchkey/storage/testclock"
)

// public is the body that a client on the user's device sends.
const public = `{"client_name":"Agent","redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none",
	"grant_types":["authorization_code","refresh_token"]}`

const confidential = `{"client_name":"Site","redirect_uris":["https://site.example/cb"]}`

// register registers openly, from a network.
func (b *bundle) register(body string, network byte) *registry.Registered {
	b.Helper()
	made, err := b.tryRegister(body, network)
	if err != nil {
		b.Fatalf("register %s: %v", body, err)
	}
	return made
}

func (b *bundle) tryRegister(body string, network byte) (*registry.Registered, error) {
	return b.Register(b.Context(), registry.RegistrationRequest{Metadata: []byte(body), Open: true, Network: storage.Digest{network}})
}

// used is what the first redemption of a code does to a client.
func (b *bundle) used(id string) {
	b.Helper()
	row, err := b.store.Client(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	row.ExpiresAt = time.Time{}
	if err := b.store.UpdateClient(b.Context(), row, nil); err != nil {
		b.Fatal(err)
	}
	b.Changed(changed(id))
}

// shown is the response as JSON.
func (b *bundle) shown(c *registry.Registered) map[string]any {
	b.Helper()
	raw, err := json.Marshal(c.Response("https://as.example/oauth2/register/" + c.Client.ID))
	if err != nil {
		b.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		b.Fatal(err)
	}
	return m
}

// RFC 7591 §3.2.1, RFC 7592 §3.
func TestRegister(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.register(confidential, 1)
	c := b.find(b.registry("a"), made.Client.ID)
	if c.Origin != storage.OriginRegistration || !c.Unverified() || c.Verified() || len(c.ID) != 22 {
		t.Errorf("%+v", c)
	}
	if left := c.ExpiresAt.Sub(b.clock.Now()); left <= 6*24*time.Hour || left > 7*24*time.Hour {
		t.Errorf("it is removed after %s", left)
	}
	if !b.CheckSecret(c, made.Secret) || b.CheckSecret(c, made.AccessToken) {
		t.Error("the secret")
	}
	m := b.shown(made)
	want := map[string]any{
		"client_id": c.ID, "client_secret": made.Secret.Reveal(), "client_secret_expires_at": 0.0,
		"registration_access_token": made.AccessToken.Reveal(), "registration_client_uri": "https://as.example/oauth2/register/" + c.ID,
		"token_endpoint_auth_method": "client_secret_basic", "client_name": "Site",
	}
	for name, want := range want {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	events := b.audit()
	if e := events[0]; len(events) != 1 || e.Action != "client_registered" || e.Actor != "client" || e.ClientID != c.ID {
		t.Errorf("%+v", e)
	}
	if m := b.shown(b.register(public, 1)); m["client_secret"] != nil || m["client_secret_expires_at"] != nil || m["application_type"] != "native" {
		t.Errorf("a public client: %v", m)
	}
}

// Who names no application type is on the user's device when no redirect URI leads anywhere else.
func TestApplicationTypeOfWhoNamesNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for uris, want := range map[string]string{
		`"http://127.0.0.1/cb"`:                         "native",
		`"http://localhost:1/cb","http://[::1]/"`:       "native",
		`"com.example.app:/cb","https://a.example/cb"`:  "native",
		`"http://localhost/","https://a.example/cb"`:    "web",
		`"https://a.example/cb","https://b.example/cb"`: "web",
	} {
		if m := b.shown(b.register(`{"redirect_uris":[`+uris+`],"token_endpoint_auth_method":"none"}`, 1)); m["application_type"] != want {
			t.Errorf("%s: %v, want %s", uris, m["application_type"], want)
		}
	}
}

// RFC 7591 §2: what can't be had is dropped, and the response shows what was granted.
func TestRegisteredGrants(t *testing.T) {
	t.Parallel()
	const redirect = `"redirect_uris":["https://a.example/cb"]`
	b := setup(t)
	for body, want := range map[string]struct{ grants, responses, method string }{
		`{` + redirect + `}`: {"authorization_code", "code", "client_secret_basic"},
		`{` + redirect + `,"grant_types":["authorization_code","refresh_token","password"]}`:                                                                                    {"authorization_code refresh_token", "code", "client_secret_basic"},
		`{` + redirect + `,"grant_types":["authorization_code","client_credentials"],"token_endpoint_auth_method":"none"}`:                                                      {"authorization_code", "code", "none"},
		`{` + redirect + `,"grant_types":["authorization_code","client_credentials"]}`:                                                                                          {"authorization_code client_credentials", "code", "client_secret_basic"},
		`{` + redirect + `,"grant_types":["implicit","authorization_code","urn:ietf:params:oauth:grant-type:jwt-bearer"],"response_types":["code","id_token","code id_token"]}`: {"authorization_code", "code", "client_secret_basic"},
		`{"grant_types":["client_credentials"],"response_types":["code"]}`:                                                                                                      {"client_credentials", "", "client_secret_basic"},
		`{` + redirect + `,"token_endpoint_auth_methods_supported":["none","client_secret_post"]}`:                                                                              {"authorization_code", "code", "client_secret_post"},
		`{` + redirect + `,"token_endpoint_auth_methods_supported":["private_key_jwt","none"]}`:                                                                                 {"authorization_code", "code", "none"},
		`{` + redirect + `,"token_endpoint_auth_methods_supported":["private_key_jwt","none"],"jwks":{"keys":[{"kty":"OKP"}]}}`:                                                 {"authorization_code", "code", "private_key_jwt"},
		`{"redirect_uris":["http://localhost:1/"],"token_endpoint_auth_methods_supported":["client_secret_basic","none"]}`:                                                      {"authorization_code", "code", "none"},
		`{"redirect_uris":["http://localhost:1/"],"token_endpoint_auth_methods_supported":["client_secret_basic"],"token_endpoint_auth_method":"none"}`:                         {"authorization_code", "code", "none"},
		`{"redirect_uris":["com.example.app:/cb"],"token_endpoint_auth_method":null,"grant_types":["authorization_code","authorization_code"]}`:                                 {"authorization_code", "code", "client_secret_basic"},
	} {
		c := b.register(body, 1).Client
		if got := strings.Join(c.GrantTypes, " "); got != want.grants {
			t.Errorf("%s: grant types %s", body, got)
		}
		if got := strings.Join(c.ResponseTypes, " "); got != want.responses || c.TokenEndpointAuthMethod != want.method {
			t.Errorf("%s: response types %q, %s", body, got, c.TokenEndpointAuthMethod)
		}
	}
}

func TestRefusedRegistrations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, field := range map[string]string{
		``: "", `[]`: "", `null`: "", `"x"`: "", `{`: "", `{"redirect_uris":["https://a.example/cb"]} x`: "",
		`{}`: "redirect_uris",
		`{"redirect_uris":"https://a.example/cb"}`:                                                               "redirect_uris",
		`{"redirect_uris":[1]}`:                                                                                  "redirect_uris",
		`{"Redirect_URIs":["https://a.example/cb"]}`:                                                             "redirect_uris",
		`{"redirect_uris":["https://a.example/cb"],"client_name":1}`:                                             "client_name",
		`{"redirect_uris":["https://a.example/cb"],"default_max_age":"1"}`:                                       "default_max_age",
		`{"redirect_uris":["https://a.example/cb"],"default_max_age":-1}`:                                        "default_max_age",
		`{"redirect_uris":["https://a.example/cb"],"default_max_age":1.5}`:                                       "default_max_age",
		`{"redirect_uris":["https://a.example/cb"],"require_auth_time":"true"}`:                                  "require_auth_time",
		`{"redirect_uris":["https://a.example/cb"],"grant_types":["password"]}`:                                  "grant_types",
		`{"redirect_uris":["https://a.example/cb"],"grant_types":["refresh_token"]}`:                             "grant_types",
		`{"redirect_uris":["https://a.example/cb"],"response_types":["token"]}`:                                  "response_types",
		`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"client_secret_jwt"}`:            "token_endpoint_auth_method",
		`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt"}`:              "token_endpoint_auth_method",
		`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"tls_client_auth"}`:              "token_endpoint_auth_method",
		`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_methods_supported":["tls_client_auth"]}`: "token_endpoint_auth_methods_supported",
		`{"redirect_uris":["https://a.example/cb"],"id_token_signed_response_alg":"none"}`:                       "id_token_signed_response_alg",
		`{"redirect_uris":["https://a.example/cb"],"userinfo_signed_response_alg":"HS256"}`:                      "userinfo_signed_response_alg",
		`{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_signing_alg":"none"}`:                    "token_endpoint_auth_signing_alg",
		`{"redirect_uris":["https://a.example/cb"],"subject_type":"pairwise"}`:                                   "subject_type",
		`{"redirect_uris":["https://a.example/cb"],"backchannel_logout_uri":"http://a.example/"}`:                "backchannel_logout_uri",
		`{"redirect_uris":["https://a.example/cb"],"jwks":{"keys":[{"kty":"EC","d":"x"}]}}`:                      "jwks",
	} {
		_, err := b.tryRegister(body, 1)
		var wrong *clients.MetadataError
		if !errors.As(err, &wrong) || wrong.Field != field || wrong.Description == "" {
			t.Errorf("%s: %v", body, err)
		}
	}
	if list, err := b.List(t.Context(), "", 10); err != nil || len(list) != 0 {
		t.Errorf("%d clients, %v", len(list), err)
	}
}

func TestStatement4RedirectURIsRefusedFromEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, uri := range []string{
		"javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://a.example/*", "https://*.a.example/cb", "https://a.example/cb#x",
		"http://a.example/cb", "vbscript:x", "myapp:/cb",
	} {
		body := fmt.Sprintf(`{"client_id":"https://a.example/client","application_type":"native","redirect_uris":["https://a.example/ok",%q]}`, uri)
		var wrong *clients.MetadataError
		if _, err := b.tryRegister(body, 1); !errors.As(err, &wrong) || wrong.Code != "invalid_redirect_uri" {
			t.Errorf("%s is registered: %v", uri, err)
		}
		_, _, err := b.Add(t.Context(), clients.Registration{Metadata: redirecting("native", uri)})
		if !errors.As(err, &wrong) || wrong.Code != "invalid_redirect_uri" {
			t.Errorf("%s is added by an operator: %v", uri, err)
		}
		_, r := b.documents(document.Policy{Open: true}, map[string]string{"https://a.example/client": body})
		if _, err := r.ForAuthorize(t.Context(), "https://a.example/client"); !errors.As(err, &wrong) || !strings.Contains(wrong.Description, "redirect_uris") {
			t.Errorf("%s is in a document: %v", uri, err)
		}
	}
}

func TestStatement30NobodyRegistersForPasswords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"redirect_uris":["https://a.example/cb"],"grant_types":["authorization_code","password"]}`
	made := b.register(body, 1)
	if made.Client.Allows(clients.GrantPassword) {
		t.Error("registered for passwords")
	}
	body = strings.Replace(body, "{", `{"client_id":"`+made.Client.ID+`",`, 1)
	replaced, err := b.ReplaceRegistration(t.Context(), made.Client.ID, made.AccessToken, []byte(body), registry.Caller{})
	if err != nil || replaced.Client.Allows(clients.GrantPassword) {
		t.Errorf("replaced: %v", err)
	}
	_, r := b.documents(document.Policy{Open: true}, map[string]string{
		"https://a.example/c": strings.Replace(body, made.Client.ID, "https://a.example/c", 1),
	})
	if c, err := r.ForAuthorize(t.Context(), "https://a.example/c"); err != nil || c.Allows(clients.GrantPassword) {
		t.Errorf("a document: %v", err)
	}
}

func TestStatement61InitialTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	register := func(token storage.Secret, body string) (*registry.Registered, error) {
		return b.Register(t.Context(), registry.RegistrationRequest{Metadata: []byte(body), InitialToken: token})
	}
	row, token, err := b.AddInitialToken(t.Context(), registry.InitialToken{
		Name: "shop", Uses: 1, TTL: time.Hour, Policy: clients.Policy{FirstParty: true, Verified: true, Rotation: clients.RotationStrict},
	})
	if err != nil || !strings.HasPrefix(token.Reveal(), "lk_iat_") {
		t.Fatal(err)
	}
	for _, bad := range []storage.Secret{"", "x", token + "x", storage.Secret("lk_cs_" + strings.TrimPrefix(token.Reveal(), "lk_iat_"))} {
		if _, err := register(bad, public); !errors.Is(err, registry.ErrInitialToken) {
			t.Errorf("%d characters: %v", len(bad), err)
		}
	}
	// Bad metadata use up nothing.
	var wrong *clients.MetadataError
	if _, err := register(token, `{}`); !errors.As(err, &wrong) {
		t.Error(err)
	}
	var wg sync.WaitGroup
	var made atomic.Int64
	var one atomic.Pointer[registry.Registered]
	for range 20 {
		wg.Go(func() {
			switch c, err := register(token, public); {
			case err == nil:
				made.Add(1)
				one.Store(c)
			case !errors.Is(err, registry.ErrInitialToken):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Fatalf("%d clients with a token for one", made.Load())
	}
	c := b.find(b.Registry, one.Load().Client.ID)
	if !c.FirstParty || !c.Verified() || c.Rotation != clients.RotationStrict || !c.ExpiresAt.IsZero() {
		t.Errorf("the policy of the token: %+v", c)
	}
	if m := b.shown(one.Load()); m["first_party"] != nil || m["verified"] != nil {
		t.Errorf("policies are shown: %v", m)
	}
	_, late, err := b.AddInitialToken(t.Context(), registry.InitialToken{Uses: -1, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // each time another client: a token is not a place
		if _, err := register(late, public); err != nil {
			t.Error(err)
		}
	}
	b.clock.Advance(time.Hour)
	if _, err := register(late, public); !errors.Is(err, registry.ErrInitialToken) {
		t.Errorf("an ended token: %v", err)
	}
	if list, err := b.List(t.Context(), "", 100); err != nil || len(list) != 4 {
		t.Errorf("%d clients, %v", len(list), err)
	}
	if err := b.RemoveInitialToken(t.Context(), row.ID); err != nil {
		t.Error(err)
	}
	for _, bad := range []struct {
		field string
		token registry.InitialToken
	}{
		{"uses", registry.InitialToken{TTL: time.Hour}},
		{"ttl", registry.InitialToken{Uses: 1}},
		{"ttl", registry.InitialToken{Uses: 1, TTL: -1}},
		{"name", registry.InitialToken{Uses: 1, TTL: time.Hour, Name: "\x00"}},
		{"rotation", registry.InitialToken{Uses: 1, TTL: time.Hour, Policy: clients.Policy{Rotation: "x"}}},
		{"resources", registry.InitialToken{Uses: 1, TTL: time.Hour, Policy: clients.Policy{Resources: []string{"api"}}}},
	} {
		if _, _, err := b.AddInitialToken(t.Context(), bad.token); !errors.As(err, &wrong) || wrong.Field != bad.field {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// Nothing that a client sends sets a policy.
func TestRegistrationSetsNoPolicy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.register(strings.Replace(confidential, "{", `{"first_party":true,"introspect_all":true,"verified":true,"rotation":"off","access_token_ttl":"1d",
		"resources":["https://api.example/"],"refresh_token_ttl":"90d","access_token_format":"simplejwt","registration_token_rotations":5,"disabled":false,`, 1), 1).Client
	if c.FirstParty || c.IntrospectAll || c.Verified() || c.Rotation != "" || c.AccessTokenTTL != 0 || c.Resources != nil || c.RefreshTokenTTL != 0 || c.AccessTokenFormat != "" {
		t.Errorf("%+v", c.Policy)
	}
}

func TestStatement63UnknownMetadataAndNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.register(`{"redirect_uris":["https://a.example/cb"],"client_name":"Ban\u202ek\u200b <b>of\u0000\u2066</b>\n\tZo\u00eb\ufeff\u3164","client_name#de":"Bank",
		"x_secret":"canary","nested":{"a":["canary"]},"software_statement":"canary"}`, 1)
	row, err := b.store.Client(t.Context(), made.Client.ID)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(b.shown(made))
	if strings.Contains(string(row.Metadata)+string(raw), "canary") || strings.Contains(string(row.Metadata), "client_name#de") {
		t.Errorf("stored %s, shown %s", row.Metadata, raw)
	}
	if made.Client.ClientName != "Bank <b>of</b> Zoë" {
		t.Errorf("%q", made.Client.ClientName)
	}
	var wrong *clients.MetadataError
	if _, err := b.tryRegister(strings.Replace(public, "Agent", strings.Repeat("A", 10_000), 1), 1); !errors.As(err, &wrong) || wrong.Field != "client_name" {
		t.Errorf("a name of 10,000 characters: %v", err)
	}
}

// The same from the same place is the same client, with what is needed to use it, until a user logs in to it.
func TestOpenRegistrationIsIdempotent(t *testing.T) {
	t.Parallel()
	for _, body := range []string{public, confidential} {
		b := setup(t)
		first := b.register(body, 1)
		b.clock.Advance(10 * time.Minute)
		again := b.register("\n"+strings.Replace(body, "{", `{"unknown":1,`, 1), 1)
		if again.Client.ID != first.Client.ID || again.Secret != first.Secret || again.AccessToken != first.AccessToken {
			t.Error("another client, or another secret or token")
		}
		if n := len(b.audit()); n != 1 {
			t.Errorf("%d audit events", n)
		}
		// A root secret that was replaced meanwhile: the retired one still makes what it made.
		if moved, err := b.registry("b", "a").Client(t.Context(), first.Client.ID); err != nil || !b.registry("b", "a").CheckSecret(moved, first.Secret) == first.Client.HasSecret() {
			t.Error("the secret after the root secret was replaced")
		}
		for name, other := range map[string]*registry.Registered{
			"another place": b.register(body, 2), "other metadata": b.register(strings.Replace(body, "/cb", "/cb2", 1), 1),
		} {
			if other.Client.ID == first.Client.ID || other.AccessToken == first.AccessToken {
				t.Errorf("%s: the same client", name)
			}
		}
		// The first caller is not locked out by the second, nor the second by the first.
		read, err := b.ReadRegistration(t.Context(), first.Client.ID, first.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if again := b.register(body, 1); again.AccessToken != read.AccessToken || again.Client.ID != first.Client.ID {
			t.Error("the token after a rotation")
		}
		b.clock.Advance(3 * 24 * time.Hour)
		b.register(body, 1)
		if left := b.find(b.registry("a"), first.Client.ID).ExpiresAt.Sub(b.clock.Now()); left < 6*24*time.Hour {
			t.Errorf("who registers again waits from then on: %s are left", left)
		}
		b.used(first.Client.ID)
		after := b.register(body, 1)
		if after.Client.ID == first.Client.ID || after.Secret == first.Secret && first.Secret != "" || after.AccessToken == first.AccessToken {
			t.Error("a client in use is given away")
		}
		if again := b.register(body, 1); again.Client.ID != after.Client.ID {
			t.Error("the client after the one in use is another each time")
		}
		if c := b.find(b.registry("a"), first.Client.ID); !c.ExpiresAt.IsZero() {
			t.Error("the client in use is to be removed")
		}
	}
}

// What an operator or the client itself made of it is nobody else's.
func TestChangedClientIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bundle, *registry.Registered) error{
		"operator": func(b *bundle, c *registry.Registered) error {
			_, err := b.Update(b.Context(), c.Client.ID, func(reg *clients.Registration) error { reg.Policy.Verified = true; return nil })
			return err
		},
		"secret": func(b *bundle, c *registry.Registered) error {
			_, err := b.RotateSecret(b.Context(), c.Client.ID, 0)
			return err
		},
		"client": func(b *bundle, c *registry.Registered) error {
			body := strings.Replace(confidential, "{", `{"client_id":"`+c.Client.ID+`","tos_uri":"https://site.example/tos",`, 1)
			_, err := b.ReplaceRegistration(b.Context(), c.Client.ID, c.AccessToken, []byte(body), registry.Caller{})
			return err
		},
	} {
		b := setup(t)
		first := b.register(confidential, 1)
		if err := change(b, first); err != nil {
			t.Fatal(name, err)
		}
		if again := b.register(confidential, 1); again.Client.ID == first.Client.ID {
			t.Errorf("%s: the same client", name)
		}
	}
}

func TestParallelOpenRegistrationsAreOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var wg sync.WaitGroup
	var ids sync.Map
	for range 20 {
		wg.Go(func() {
			c, err := b.tryRegister(confidential, 1)
			if err != nil || !b.CheckSecret(c.Client, c.Secret) {
				t.Error(err)
				return
			}
			ids.Store(c.Client.ID, true)
		})
	}
	wg.Wait()
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d clients", n)
	}
}

func TestStatement61RegistrationAccessTokenRotates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, who := t.Context(), registry.Caller{Address: "192.0.2.1", RequestID: "r"}
	made, other := b.register(confidential, 1), b.register(public, 1)
	id := made.Client.ID
	b.add("operators", clients.Metadata{RedirectURIs: []string{"https://a.example/cb"}})
	body := []byte(`{"client_id":"` + id + `","redirect_uris":["https://site.example/new"],"client_secret":"` + made.Secret.Reveal() + `"}`)
	foreign := func(id string, token storage.Secret) {
		t.Helper()
		if _, err := b.ReadRegistration(ctx, id, token); !errors.Is(err, registry.ErrRegistrationToken) {
			t.Errorf("read: %v", err)
		}
		if _, err := b.ReplaceRegistration(ctx, id, token, body, who); !errors.Is(err, registry.ErrRegistrationToken) {
			t.Errorf("replace: %v", err)
		}
		if err := b.RemoveRegistration(ctx, id, token, who); !errors.Is(err, registry.ErrRegistrationToken) {
			t.Errorf("remove: %v", err)
		}
	}
	for _, token := range []storage.Secret{"", "x", other.AccessToken, made.Secret, made.AccessToken + "x"} {
		foreign(id, token)
	}
	foreign("nobody", made.AccessToken)
	foreign("operators", made.AccessToken)
	foreign(other.Client.ID, made.AccessToken)

	read, err := b.ReadRegistration(ctx, id, made.AccessToken)
	if err != nil || read.AccessToken != made.AccessToken || read.Secret != "" || read.Client.ID != id {
		t.Fatalf("%+v, %v", read, err)
	}
	replaced, err := b.ReplaceRegistration(ctx, id, read.AccessToken, body, who)
	if err != nil || replaced.Client.RedirectURIs[0] != "https://site.example/new" || replaced.Client.ClientName != "" {
		t.Fatalf("%+v, %v", replaced, err)
	}
	if !b.CheckSecret(b.find(b.Registry, id), made.Secret) {
		t.Error("the secret is gone")
	}
	foreign(id, read.AccessToken)
	if err := b.SetDisabled(ctx, id, true); err != nil {
		t.Fatal(err)
	}
	foreign(id, replaced.AccessToken) // a disabled client can't help itself
	if err := b.SetDisabled(ctx, id, false); err != nil {
		t.Fatal(err)
	}
	if err := b.RemoveRegistration(ctx, id, replaced.AccessToken, who); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client(ctx, id); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	foreign(id, replaced.AccessToken)
	actions := map[string]string{}
	for _, e := range b.audit() {
		if e.Address == who.Address && e.RequestID == "r" && e.Actor == "client" && e.ClientID == id {
			actions[e.Action] = string(e.Details)
		}
	}
	want := map[string]string{
		"client_registration_updated": `{"fields":["client_name","redirect_uris"]}`, "client_registration_removed": "",
	}
	if diff := cmp.Diff(want, actions); diff != "" {
		t.Error(diff)
	}
}

// RFC 7592 §2.2.
func TestReplaceRegistration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	made := b.register(confidential, 1)
	id, token := made.Client.ID, made.AccessToken
	var wrong *clients.MetadataError
	for body, field := range map[string]string{
		`{"redirect_uris":["https://a.example/cb"]}`:                                         "client_id",
		`{"client_id":"other","redirect_uris":["https://a.example/cb"]}`:                     "client_id",
		`{"client_id":"ID","client_secret":"mine","redirect_uris":["https://a.example/cb"]}`: "client_secret",
		`{"client_id":"ID","client_secret":1,"redirect_uris":["https://a.example/cb"]}`:      "client_secret",
		`{"client_id":"ID"}`: "redirect_uris",
		`{`:                  "",
	} {
		_, err := b.ReplaceRegistration(ctx, id, token, []byte(strings.ReplaceAll(body, "ID", id)), registry.Caller{})
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", body, err)
		}
	}
	replace := func(body string) *registry.Registered {
		t.Helper()
		out, err := b.ReplaceRegistration(ctx, id, token, []byte(strings.ReplaceAll(body, "ID", id)), registry.Caller{})
		if err != nil {
			t.Fatal(err) // the refusals before have left the token good
		}
		token = out.AccessToken
		return out
	}
	if _, err := b.Update(ctx, id, func(reg *clients.Registration) error { reg.Rotation = clients.RotationStrict; return nil }); err != nil {
		t.Fatal(err)
	}
	// What the client got back from us is ignored.
	out := replace(`{"client_id":"ID","redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none","rotation":"off",
		"registration_access_token":"x","client_id_issued_at":1,"client_secret_expires_at":0}`)
	if !out.Client.Public() || out.Client.HasSecret() || out.Client.Rotation != clients.RotationStrict || out.Secret != "" {
		t.Errorf("%+v", out.Client)
	}
	out = replace(`{"client_id":"ID","redirect_uris":["https://a.example/cb"]}`)
	if out.Secret == "" || !b.CheckSecret(b.find(b.Registry, id), out.Secret) || out.Secret == made.Secret {
		t.Error("a client that stops being public needs a new secret")
	}
}

// Of parallel updates with one registration access token one passes.
func TestStatement61RegistrationAccessTokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.register(public, 1)
	body := []byte(`{"client_id":"` + made.Client.ID + `","redirect_uris":["https://site.example/new"],"token_endpoint_auth_method":"none"}`)
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := b.ReplaceRegistration(t.Context(), made.Client.ID, made.AccessToken, body, registry.Caller{})
			switch {
			case err == nil:
				passed.Add(1)
			case !errors.Is(err, registry.ErrRegistrationToken) && !errors.Is(err, storage.ErrConflict):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if passed.Load() != 1 {
		t.Errorf("%d passed", passed.Load())
	}
}

// A copy of the database makes no client secret and no token.
func TestStatement73RegistrationSecretsAreNotStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.register(confidential, 1)
	_, initial, err := b.AddInitialToken(t.Context(), registry.InitialToken{Uses: 1, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := b.InitialTokens(t.Context(), storage.ID{}, 10)
	if err != nil || len(tokens) != 1 {
		t.Fatal(err)
	}
	row, err := b.store.Client(t.Context(), made.Client.ID)
	if err != nil {
		t.Fatal(err)
	}
	dump := string(row.Metadata) + string(row.SecretMAC[:]) + string(row.RegistrationMAC[:]) + string(row.RegistrationKey[:]) + string(tokens[0].Hash[:]) + string(tokens[0].Policy)
	for _, secret := range []storage.Secret{made.Secret, made.AccessToken, initial} {
		if strings.Contains(dump, secret.Reveal()[8:30]) {
			t.Error("a secret is stored")
		}
	}
	for _, digest := range []storage.Digest{row.SecretMAC, row.RegistrationMAC, row.RegistrationKey} {
		for _, text := range []string{string(digest[:]), fmt.Sprintf("%x", digest[:])} {
			if _, err := b.ReadRegistration(t.Context(), row.ID, storage.Secret(text)); !errors.Is(err, registry.ErrRegistrationToken) {
				t.Error("what is stored is good as a token")
			}
		}
	}
	// Another root secret makes other secrets.
	other, err := b.registry("x").Register(t.Context(), registry.RegistrationRequest{Metadata: []byte(confidential), Open: true, Network: storage.Digest{1}})
	if err != nil || other.Client.ID == made.Client.ID {
		t.Errorf("another root secret: %v", err)
	}
}

// room is a database of clients that registered themselves, in memory: so many registrations would take SQLite a minute.
type room struct {
	storage.Store
	mu    sync.Mutex
	byKey map[storage.Digest]*storage.Client
}

func (s *room) CreateRegisteredClient(_ context.Context, c *storage.Client, most int, _ *storage.AuditEvent) (*storage.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if there := s.byKey[c.RegistrationKey]; there != nil {
		return there, nil
	}
	if len(s.byKey) >= most {
		return nil, storage.ErrLimit
	}
	s.byKey[c.RegistrationKey] = c
	return c, nil
}

func TestStatement62RegistrationsAreBounded(t *testing.T) {
	t.Parallel()
	const most, tries = 1000, 20_000
	s := &room{byKey: map[storage.Digest]*storage.Client{}}
	r := registry.New(registry.Config{Store: s, Now: testclock.New(epoch).Now, MACKeys: [][]byte{make([]byte, 32)}, MaxUnused: most})
	var refused int
	for i := range tries {
		_, err := r.Register(t.Context(), registry.RegistrationRequest{
			Metadata: fmt.Appendf(nil, `{"client_name":"%d","redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"none"}`, i),
			Open:     true, Network: storage.Digest{byte(i), byte(i >> 8)},
		})
		if errors.Is(err, storage.ErrLimit) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if len(s.byKey) != most || refused != tries-most {
		t.Errorf("%d clients, %d refused", len(s.byKey), refused)
	}

	b := setup(t)
	bounded := registry.New(registry.Config{Store: b.store, Now: b.clock.Now, MACKeys: [][]byte{make([]byte, 32)}, MaxUnused: 3})
	register := func(i int) (*registry.Registered, error) {
		return bounded.Register(t.Context(), registry.RegistrationRequest{
			Metadata: fmt.Appendf(nil, `{"client_name":"%d","redirect_uris":["https://a.example/cb"]}`, i), Open: true,
		})
	}
	var first *registry.Registered
	for i := range 10 {
		c, err := register(i)
		if (err == nil) != (i < 3) || err != nil && !errors.Is(err, storage.ErrLimit) {
			t.Fatal(i, err)
		}
		if i == 0 {
			first = c
		}
	}
	if again, err := register(0); err != nil || again.Client.ID != first.Client.ID {
		t.Errorf("who is there already is not found: %v", err)
	}
	b.used(first.Client.ID) // it counts no more
	if _, err := register(3); err != nil {
		t.Error(err)
	}
	b.clock.Advance(7 * 24 * time.Hour)
	for {
		m, err := b.store.Maintain(t.Context(), b.clock.Now(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if !m.More {
			break
		}
	}
	list, err := b.List(t.Context(), "", 10)
	if err != nil || len(list) != 1 || list[0].ID != first.Client.ID {
		t.Errorf("%d clients are left, want the one that was used: %v", len(list), err)
	}
}

func TestDatabaseAwayIsNoRefusalOfRegistration(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := b.register(public, 1)
	b.store.away.Store(true)
	if _, err := b.ReadRegistration(t.Context(), made.Client.ID, made.AccessToken); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, registry.ErrRegistrationToken) {
		t.Error(err)
	}
	if err := b.RemoveRegistration(t.Context(), made.Client.ID, made.AccessToken, registry.Caller{}); !errors.Is(err, storage.ErrUnavailable) {
		t.Error(err)
	}
}
