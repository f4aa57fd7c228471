package server_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/console"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

// refusing is a database that goes away when a user is to be disabled or removed.
type refusing struct{ storage.Store }

func (refusing) SetUserActive(context.Context, int64, bool, time.Time, *storage.AuditEvent, ...*storage.LogoutNotice) error {
	return storage.ErrUnavailable
}

func (refusing) RemoveUser(context.Context, int64, *storage.AuditEvent, ...*storage.LogoutNotice) error {
	return storage.ErrUnavailable
}

// ending is a server with bob, who is signed in, and an operator.
type ending struct {
	*servertest.Server
	t                 *testing.T
	box               *servertest.Mailbox
	theirs, operators *servertest.Browser
	user              *storage.User
}

// Clients are told of the end of a user's sessions if they have ended, and of nothing that was refused, failed, or ends no session: the notices are
// stored in the transaction of the change. Before, they were stored first, and the console's button that disables a user stored none.
func TestClientsAreNotifiedOfWhatHasEndedOnly(t *testing.T) {
	t.Parallel()
	const next = "a new and long password"
	for name, c := range map[string]struct {
		act  func(e *ending)
		want int
	}{
		"the console disables the user": {func(e *ending) {
			e.operators.Post(console.UserPath, "id", fmt.Sprint(e.user.ID), "do", "disable").Expect(200)
		}, 1},
		"the console ends the sessions": {func(e *ending) {
			e.operators.Post(console.UserPath, "id", fmt.Sprint(e.user.ID), "do", "end").Expect(200)
		}, 1},
		"a link sets a password": {func(e *ending) {
			e.choose(next).Expect(200)
		}, 1},
		"a link sets a password that everybody knows": {func(e *ending) {
			e.choose("password").Expect(400)
		}, 0},
		"the user removes the account": {func(e *ending) {
			e.theirs.Post("/account/remove").Expect(200)
		}, 1},
		"the database fails as the user is disabled": {func(e *ending) {
			failing := e.Replica(e.t, servertest.Store(refusing{e.Store}))
			if failing.Users().Disable(e.t.Context(), e.user.ID) == nil || failing.Users().Remove(e.t.Context(), e.user.ID) == nil {
				e.t.Error("the database did not fail")
			}
		}, 0},
		"a second factor goes": {func(e *ending) {
			e.factor(storage.FactorTOTP)
			e.operators.Post(console.UserPath, "id", fmt.Sprint(e.user.ID), "do", "reset-factors").Expect(200)
		}, 1},
		"a browser is remembered no more": {func(e *ending) {
			id := e.factor(storage.FactorBrowser)
			e.theirs.Post("/account/security", "action", "remove", "factor", id.String()).Expect(200)
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := new(servertest.Mailbox)
			s := servertest.New(t, servertest.Mail(box), servertest.Configure(func(c *server.Config) { c.Console, c.AdminGroup = true, "operators" }))
			groups := []string{"operators"}
			if _, err := s.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}); err != nil {
				t.Fatal(err)
			}
			u := s.AddUser(users.NewUser{Username: "bob", Email: "bob@example.com", Active: true}, "the password of bob")
			told := s.AddClient(clients.Registration{ID: "told", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
				GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid", TokenEndpointAuthMethod: "none",
				RedirectURIs: []string{servertest.Callback}, BackchannelLogoutURI: "https://rp.example/logout",
			}})
			e := &ending{t: t, Server: s, box: box, theirs: s.Browser(), operators: s.Browser(), user: u}
			e.theirs.SignInAs("bob", "the password of bob")
			s.Redeem(told, e.theirs.Code(told, "scope", "openid")).Expect(200)
			e.operators.SignIn()
			c.act(e)
			list, err := s.Store.ClaimLogoutNotices(t.Context(), s.Clock.Now(), time.Minute, 10)
			if err != nil || len(list) != c.want {
				t.Errorf("%d notices (%v), not %d", len(list), err, c.want)
			}
		})
	}
}

// choose sets the password of bob, who has forgotten it.
func (e *ending) choose(password string) *servertest.Page {
	e.Browser().Get("/forgot-password").Form("/forgot-password").Set("identifier", "bob").Submit().Expect(200)
	form := e.Browser().Get(e.Letter(e.box, "bob@example.com").Link()).Form("/reset-password")
	return form.Set("new_password", password, "new_password_again", password).Submit()
}

// factor stores a factor of bob.
func (e *ending) factor(kind storage.FactorKind) storage.ID {
	e.t.Helper()
	now := e.Clock.Now()
	f := &storage.Factor{ID: storage.NewID(now), UserID: e.user.ID, Kind: kind, Name: "mine", Data: []byte("x"), UserEpoch: e.user.AuthEpoch, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	if err := e.Store.CreateFactors(e.t.Context(), storage.NewFactors{UserID: e.user.ID, Factors: []*storage.Factor{f}, Limit: 9}, nil); err != nil {
		e.t.Fatal(err)
	}
	return f.ID
}
