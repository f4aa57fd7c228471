package directory_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/directory"
)

func accountURL(c *server.Config) { c.AccountURL = "https://www.example.com/profile/" }

// With a role that may write, people change their password here: in Django's table, in the form of the hash that Django has made. The last login is
// written too.
func TestPasswordsAreWrittenBack(t *testing.T) {
	t.Parallel()
	for _, place := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			site := newSite(t, place, "uuid")
			s := site.serve(servertest.Configure(stringIDs), servertest.Configure(accountURL))
			session := login(s, "ada", "secret").Expect(200).String("refresh")
			b := s.Browser()
			b.SignInAs("ada", "secret")
			if got := site.text(`SELECT CASE WHEN last_login = $1 THEN 'true' END FROM auth_user WHERE username = 'ada'`, s.Clock.Now()); got != "true" {
				t.Error("last_login was not written")
			}
			page := b.Get("/account")
			if !strings.Contains(page.Body, `href="https://www.example.com/profile/"`) {
				t.Error("the page does not lead to where the account is changed")
			}
			page = page.Form("/account/password").Set("current_password", "secret", "new_password", "a much better one", "new_password_again", "a much better one").Submit()
			if page.Status != 200 || !page.Has("/account/password") {
				t.Fatalf("status %d: %s", page.Status, page.Body)
			}
			if got := site.text(`SELECT password FROM auth_user WHERE username = 'ada'`); !strings.HasPrefix(got, "pbkdf2_sha256$2$") {
				t.Errorf("the hash is %s", got)
			}
			s.RefreshSimpleJWT(session).Expect(401)
			login(s, "ada", "secret").Expect(401)
			s.RefreshSimpleJWT(login(s, "ada", "a much better one").Expect(200).String("refresh")).Expect(200)
			login(s, "bob", "secret").Expect(200)
		})
	}
}

// With a role that may only read, the account page has no form, and nothing is written anywhere.
func TestARoleThatMayOnlyRead(t *testing.T) {
	t.Parallel()
	site := newSite(t, "beside SQLite", "integer")
	cc, err := pgx.ParseConfig(site.url)
	if err != nil {
		t.Fatal(err)
	}
	cc.RuntimeParams["default_transaction_read_only"] = "on"
	site.config.DB = stdlib.OpenDB(*cc)
	t.Cleanup(func() { site.config.DB.Close() })
	s := site.serve(servertest.Configure(accountURL))
	b := s.Browser()
	b.SignInAs("ada", "secret")
	if page := b.Get("/account"); page.Has("/account/password") {
		t.Error("the page has a form for the password")
	}
	if page := b.Post("/account/password", "current_password", "secret", "new_password", "a much better one", "new_password_again", "a much better one"); page.Status != 403 {
		t.Errorf("status %d", page.Status)
	}
	session := login(s, "ada", "secret").Expect(200).String("refresh")
	ctx, u := t.Context(), s.Users()
	password := storage.Secret("a much better one")
	for what, err := range map[string]error{
		"add":          func() error { _, err := u.Add(ctx, users.NewUser{Username: "new"}); return err }(),
		"set-password": u.SetPassword(ctx, 7, password),
		"disable":      u.Disable(ctx, 7),
		"enable":       u.Enable(ctx, 7),
		"remove":       u.Remove(ctx, 7),
		"update":       func() error { _, err := u.Update(ctx, 7, storage.UserChange{}); return err }(),
		"own password": u.ChangeOwnPassword(ctx, &storage.User{ID: 7}, password),
	} {
		if !errors.Is(err, storage.ErrElsewhere) || !strings.Contains(err.Error(), "--users-from django") || !strings.Contains(err.Error(), "https://www.example.com/profile/") {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.RefreshSimpleJWT(session).Expect(200)
	// What unknown names cost is learnt from hashes of people who have never been here.
	if hashes, err := s.Store.(*directory.Store).SampleHashes(ctx, 1); err != nil || len(hashes) != 1 || !strings.HasPrefix(hashes[0], "pbkdf2_sha256$2$") {
		t.Errorf("hashes %v, %v", hashes, err)
	}
	if got := site.text(`SELECT coalesce(last_login::text, 'never') FROM auth_user WHERE id = 7`); got != "never" {
		t.Errorf("last_login is %s", got)
	}
}
