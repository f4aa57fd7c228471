package admin_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/server"
	serveradmin "latchkey/server/admin"
	"latchkey/server/selfhelp"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// bundle is a server with a client that may do everything through its API.
type bundle struct {
	*servertest.Server
	t   *testing.T
	api *admin.API
	// seen are the requests so far: methods and paths.
	seen *seen
}

// seen records requests.
type seen struct {
	mu       sync.Mutex
	requests []string
}

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.EscapedPath())
	s.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func setup(t *testing.T, more ...servertest.Option) *bundle {
	t.Helper()
	options := append(more, servertest.Configure(func(c *server.Config) { c.SignUp = selfhelp.SignUpInvite }))
	b := &bundle{Server: servertest.New(t, options...), t: t, seen: &seen{}}
	var scopes []string
	for scope := range serveradmin.Scopes() {
		scopes = append(scopes, scope)
	}
	root := b.AddClient(clients.Registration{ID: "automation", Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"}, Scope: strings.Join(scopes, " "),
	}})
	client := &http.Client{Transport: b.seen}
	from, err := admin.New(b.Admin, nil, client).Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if from.Issuer != b.URL || from.Resource != serveradmin.Resource(b.URL) || len(from.Scopes) != len(scopes) {
		t.Errorf("discovered %+v", from)
	}
	b.api = admin.New(b.Admin+"/", &admin.ClientCredentials{Server: *from, ClientID: root.ID, ClientSecret: root.Secret.Reveal(), Scopes: from.Scopes}, client)
	return b
}

// must returns the result of a call that succeeds.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// all reads a list.
func all[T any](t *testing.T, seq iter.Seq2[T, error]) (list []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// refused checks that an error is a problem of a status.
func refused(t *testing.T, err error, status int) *admin.Problem {
	t.Helper()
	var p *admin.Problem
	if !errors.As(err, &p) || p.Status != status {
		t.Fatalf("%v, want a problem of the status %d", err, status)
	}
	return p
}

// The package has a method for every operation of the description, and each does what it says on a real server.
func TestEveryOperation(t *testing.T) {
	t.Parallel()
	b := setup(t, servertest.Mail(new(servertest.Mailbox)))
	ctx, api := t.Context(), b.api

	u := must[*admin.User](t)(api.AddUser(ctx, admin.NewUser{Username: "bob", Password: new("a long password"), Groups: []string{"staff"}}))
	if got := all(t, api.Users(ctx, admin.UserFilter{Search: "bo", Active: new(true)})); len(got) != 1 || got[0].ID != u.ID {
		t.Errorf("users: %v", got)
	}
	var tag string
	must[*admin.User](t)(api.User(ctx, u.ID, admin.ReadTag(&tag)))
	if u = must[*admin.User](t)(api.UpdateUser(ctx, u.ID, admin.UserChange{Name: new("Bob")}, admin.IfMatch(tag))); u.Name != "Bob" {
		t.Errorf("updated: %+v", u)
	}
	_, err := api.UpdateUser(ctx, u.ID, admin.UserChange{Name: new("Rob")}, admin.IfMatch(tag))
	refused(t, err, http.StatusPreconditionFailed)
	if got := all(t, api.Groups(ctx)); len(got) != 1 || got[0].Name != "staff" {
		t.Errorf("groups: %v", got)
	}
	must[*admin.User](t)(api.SetPassword(ctx, u.ID, admin.Password{Password: new("another password")}))
	f := &storage.Factor{ID: storage.NewID(b.Clock.Now()), UserID: u.ID, Kind: storage.FactorTOTP, Name: "Phone", CreatedAt: b.Clock.Now()}
	if err := b.Store.CreateFactors(ctx, storage.NewFactors{UserID: u.ID, Limit: 1, Factors: []*storage.Factor{f}}, nil); err != nil {
		t.Fatal(err)
	}
	if got := must[*admin.Factors](t)(api.Factors(ctx, u.ID)); len(got.Factors) != 1 || got.Factors[0].Name != "Phone" {
		t.Errorf("factors: %+v", got)
	}
	if got := must[*admin.Factors](t)(api.RemoveFactor(ctx, u.ID, f.ID.String())); len(got.Factors) != 0 {
		t.Errorf("without the factor: %+v", got)
	}
	must[*admin.Factors](t)(api.ResetFactors(ctx, u.ID))
	if u = must[*admin.User](t)(api.DisableUser(ctx, u.ID)); u.Active {
		t.Error("not disabled")
	}
	must[*admin.User](t)(api.EnableUser(ctx, u.ID))
	var unsent *admin.Problem
	if _, err := api.SendPasswordLink(ctx, u.ID); !errors.As(err, &unsent) || unsent.Kind() != "no-address" {
		t.Errorf("a letter to a user without an address: %v", err)
	}

	shop := must[*admin.Client](t)(api.AddClient(ctx, admin.NewClient{ID: "https-shop", Fields: map[string]any{
		"grant_types": []string{"password", "refresh_token"}, "client_name": "Shop",
	}}, admin.IdempotencyKey("k1")))
	if shop.Secret == "" || string(shop.Fields["client_name"]) != `"Shop"` || shop.Origin != "operator" {
		t.Errorf("client: %+v", shop)
	}
	if again := must[*admin.Client](t)(api.AddClient(ctx, admin.NewClient{ID: "https-shop", Fields: map[string]any{
		"grant_types": []string{"password", "refresh_token"}, "client_name": "Shop",
	}}, admin.IdempotencyKey("k1"))); again.Secret != "" || again.ID != shop.ID {
		t.Errorf("again: %+v", again)
	}
	for range 2 {
		b.Token(servertest.Client{ID: shop.ID, Secret: storage.Secret(shop.Secret)}, "grant_type", "password", "username", "bob", "password", "another password").Expect(http.StatusOK)
	}
	sessions := all(t, api.Sessions(ctx, admin.SessionFilter{UserID: u.ID, ClientID: shop.ID}))
	if len(sessions) != 2 {
		t.Fatalf("sessions: %v", sessions)
	}
	must[*admin.Session](t)(api.Session(ctx, sessions[0].ID))
	_, err = api.EndSessions(ctx, admin.SessionsEnd{ClientID: shop.ID})
	if p := refused(t, err, http.StatusConflict); p.Sessions() != 2 || p.Kind() != "confirm" {
		t.Errorf("unconfirmed: %+v", p)
	}
	if e := must[*admin.Ended](t)(api.EndSession(ctx, sessions[0].ID)); e.Sessions != 1 {
		t.Errorf("ended: %v", e)
	}
	must[*admin.Ended](t)(api.EndSessions(ctx, admin.SessionsEnd{ClientID: shop.ID}, admin.Confirm(5)))
	must[*admin.Ended](t)(api.EndConsent(ctx, u.ID, shop.ID, admin.DryRun()))
	all(t, api.Consents(ctx, admin.ConsentFilter{UserID: u.ID}))
	if got := all(t, api.Clients(ctx, admin.ClientFilter{Search: "shop", Disabled: new(false)})); len(got) != 1 {
		t.Errorf("clients: %v", got)
	}
	must[*admin.Client](t)(api.Client(ctx, shop.ID, admin.ReadTag(&tag)))
	shop = must[*admin.Client](t)(api.UpdateClient(ctx, shop.ID, admin.ClientChange{"client_name": nil, "verified": true}, admin.IfMatch(tag)))
	if shop.Fields["client_name"] != nil || string(shop.Fields["verified"]) != "true" {
		t.Errorf("changed: %+v", shop)
	}
	if c := must[*admin.Client](t)(api.RotateSecret(ctx, shop.ID, admin.SecretRotation{KeepOld: "1h"})); c.Secret == "" || c.OldSecretExpiresAt == nil {
		t.Errorf("rotated: %+v", c)
	}
	must[*admin.Refusals](t)(api.Refusals(ctx, shop.ID, 5))
	must[*admin.Client](t)(api.DisableClient(ctx, shop.ID))
	must[*admin.Client](t)(api.EnableClient(ctx, shop.ID))
	must[*admin.Client](t)(api.RemoveClient(ctx, shop.ID))
	_, err = api.Client(ctx, shop.ID)
	refused(t, err, http.StatusNotFound)

	r := must[*admin.Resource](t)(api.AddResource(ctx, admin.NewResource{Resource: "https://api.example/v1?a=b", Scope: []string{"read"}}))
	must[*admin.Resource](t)(api.Resource(ctx, r.Resource))
	if got := all(t, api.Resources(ctx)); len(got) != 1 {
		t.Errorf("resources: %v", got)
	}
	must[*admin.Resource](t)(api.RemoveResource(ctx, r.Resource))
	token := must[*admin.RegistrationToken](t)(api.AddRegistrationToken(ctx, admin.NewRegistrationToken{Name: "dev", Uses: -1, Policy: json.RawMessage(`{"first_party":true}`)}))
	if token.Token == "" || token.Uses != nil {
		t.Errorf("token: %+v", token)
	}
	must[*admin.RegistrationToken](t)(api.RegistrationToken(ctx, token.ID))
	all(t, api.RegistrationTokens(ctx))
	must[*admin.RegistrationToken](t)(api.RemoveRegistrationToken(ctx, token.ID))

	invited := must[*admin.Invitation](t)(api.AddInvitation(ctx, admin.NewInvitation{Email: "ann@example.com", Groups: []string{"staff"}, TTL: "1d"}))
	if got := all(t, api.Invitations(ctx)); len(got) != 1 || got[0].Email != "ann@example.com" || invited.Link == "" && !invited.Sent {
		t.Errorf("%+v", got)
	}
	must[*admin.Invitation](t)(api.Invitation(ctx, invited.ID))
	must[*admin.Invitation](t)(api.RemoveInvitation(ctx, invited.ID))

	lost := []string{b.lose(u.ID), b.lose(u.ID)}
	if got := all(t, api.Letters(ctx, admin.LetterFilter{UserID: u.ID})); len(got) != 2 || got[1].ID != lost[0] || got[1].Username != u.Username || !got[1].CanSendAgain {
		t.Errorf("letters: %+v", got)
	}
	must[*admin.Letter](t)(api.Letter(ctx, lost[0]))
	must[*admin.Letter](t)(api.SendLetterAgain(ctx, lost[0]))
	must[*admin.Letter](t)(api.DismissLetter(ctx, lost[1]))
	if got := all(t, api.Letters(ctx, admin.LetterFilter{})); len(got) != 0 {
		t.Errorf("letters are left: %+v", got)
	}

	hook := must[*admin.Webhook](t)(api.AddWebhook(ctx, admin.NewWebhook{URL: "https://hooks.invalid/", Types: []string{"login"}}))
	if hook.Secret == "" || !hook.Enabled {
		t.Errorf("webhook: %+v", hook)
	}
	must[*admin.Webhook](t)(api.Webhook(ctx, hook.ID, admin.ReadTag(&tag)))
	if hook = must[*admin.Webhook](t)(api.UpdateWebhook(ctx, hook.ID, admin.WebhookChange{Types: &[]string{}, Enabled: new(false)}, admin.IfMatch(tag))); hook.Enabled || len(hook.Types) > 0 {
		t.Errorf("changed: %+v", hook)
	}
	if rotated := must[*admin.Webhook](t)(api.RotateWebhookSecret(ctx, hook.ID, admin.SecretRotation{KeepOld: "1h"})); rotated.Secret == "" || rotated.OldSecretExpiresAt.IsZero() {
		t.Errorf("rotated: %+v", rotated)
	}
	if tried := must[*admin.WebhookTest](t)(api.TestWebhook(ctx, hook.ID)); tried.Delivered || tried.Error == "" {
		t.Errorf("tried: %+v", tried)
	}
	if got := all(t, api.Webhooks(ctx)); len(got) != 1 || got[0].Deliveries.LastError == "" {
		t.Errorf("webhooks: %+v", got)
	}
	must[*admin.Webhook](t)(api.RemoveWebhook(ctx, hook.ID))

	made := must[[]admin.Key](t)(api.RotateKeys(ctx, admin.KeyRotation{Algorithm: "EdDSA", Immediately: true}))
	if len(made) != 1 || len(all(t, api.Keys(ctx))) == 0 {
		t.Errorf("made %v", made)
	}
	must[*admin.Key](t)(api.RetireKey(ctx, made[0].KID))
	must[*admin.User](t)(api.RemoveUser(ctx, u.ID))
	if got := all(t, api.AuditEvents(ctx, admin.AuditFilter{UserID: u.ID, Action: "user_removed"})); len(got) != 1 || got[0].ActorID != "client:automation" {
		t.Errorf("events: %v", got)
	}
	must[*admin.User](t)(api.AddUser(ctx, admin.NewUser{Username: "eve"}))
	b.Clock.Advance(time.Minute)
	for e, err := range api.Events(ctx, admin.EventFilter{Type: "user.changed", After: "019c0000-0000-7000-8000-000000000000"}) {
		if err != nil || e.Type != "user.changed" || e.ID == "" || e.ID != e.AuditEvent.ID {
			t.Errorf("event %+v, %v", e, err)
		}
		if e.Action == "user_created" && e.Username == "eve" {
			break
		}
	}
	b.covered()
}

// lose stores a notice about a user that could not be delivered, and returns its ID.
func (b *bundle) lose(userID int64) string {
	b.t.Helper()
	b.Clock.Advance(time.Second)
	now := b.Clock.Now()
	m := &storage.OutboxMessage{
		ID: storage.NewID(now), Kind: "mail", Key: sha256.Sum256([]byte(now.String())), Payload: []byte{0}, CreatedAt: now, NextAttemptAt: now, GiveUpAt: now,
		ExpiresAt: now,
	}
	l := &storage.UndeliveredLetter{
		ID: storage.NewID(now), Name: "password_set", UserID: userID, Recipient: "bob@example.com", QueuedAt: now, AbandonedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	err := b.Store.CreateOutboxMessages(b.t.Context(), m)
	if err == nil {
		err = b.Store.AbandonLetter(b.t.Context(), m.ID, l)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return l.ID.String()
}

// covered checks that each operation of the description was requested.
func (b *bundle) covered() {
	b.t.Helper()
	var document struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal([]byte(b.Get(b.Admin+serveradmin.OpenAPIPath).Expect(http.StatusOK).Body), &document); err != nil {
		b.t.Fatal(err)
	}
	n := 0
	for path, methods := range document.Paths {
		for method := range methods {
			n++
			if !b.requested(strings.ToUpper(method), path) {
				b.t.Errorf("no method of the package has sent %s %s", strings.ToUpper(method), path)
			}
		}
	}
	if n < 30 {
		b.t.Errorf("%d operations", n)
	}
}

func (b *bundle) requested(method, template string) bool {
	parts := strings.Split(template, "/")
	for _, r := range b.seen.requests {
		verb, path, _ := strings.Cut(r, " ")
		got := strings.Split(path, "/")
		same := verb == method && len(got) == len(parts)
		for i := 0; same && i < len(parts); i++ {
			same = parts[i] == got[i] || strings.HasPrefix(parts[i], "{") && !literal[got[i]]
		}
		if same {
			return true
		}
	}
	return false
}

// literal are words that stand where other operations have a variable.
var literal = map[string]bool{"end": true, "rotate": true}

// A list is read part by part, and no further than its reader wants; errors end it.
func TestLists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const users = 510 // a part has 500
	for i := range users {
		if err := b.Store.CreateUser(t.Context(), &storage.User{Username: fmt.Sprintf("user-%03d", i), Active: true, CreatedAt: b.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if got := all(t, b.api.Users(t.Context(), admin.UserFilter{Search: "user-"})); len(got) != users || got[509].Username != "user-509" {
		t.Errorf("%d users", len(got))
	}
	before := len(b.seen.requests)
	for range b.api.Users(t.Context(), admin.UserFilter{}) {
		break
	}
	if n := len(b.seen.requests) - before; n > 2 { // and perhaps a token
		t.Errorf("%d requests for one user", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for _, err := range b.api.Users(ended, admin.UserFilter{}) {
		if n++; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d errors", n)
	}
}

// A refusal says what the server said; another server's answer, a token that is refused and a redirect are errors too.
func TestProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.api.AddUser(t.Context(), admin.NewUser{Username: "a\x01b"})
	if p := refused(t, err, http.StatusUnprocessableEntity); len(p.Errors) == 0 || !strings.Contains(p.Error(), "body") {
		t.Errorf("%v", err)
	}
	_, err = b.api.AddUser(t.Context(), admin.NewUser{Username: servertest.Username})
	if p := refused(t, err, http.StatusConflict); p.Kind() != "exists" {
		t.Errorf("%+v", p)
	}
	_, err = admin.New(b.Admin, admin.StaticToken("wrong"), nil).User(t.Context(), 1)
	refused(t, err, http.StatusUnauthorized)
	_, err = admin.New(b.URL, admin.StaticToken("wrong"), nil).User(t.Context(), 1) // the issuer's side
	refused(t, err, http.StatusNotFound)
	if _, err = admin.New(b.URL, nil, nil).Discover(t.Context()); err == nil {
		t.Error("discovered an API where there is none")
	}
	_, err = admin.RequestToken(t.Context(), nil, b.URL+"/oauth2/token", "automation", "wrong", url.Values{"grant_type": {"client_credentials"}})
	var refusal *admin.TokenError
	if !errors.As(err, &refusal) || refusal.Code != "invalid_client" {
		t.Errorf("%v", err)
	}
}
