package storagetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/storage"
)

// newUser makes a user who is not stored.
func (b *bundle) newUser(name string) *storage.User {
	return &storage.User{Username: name, PasswordHash: "old hash", Active: true, CreatedAt: kept(b.now)}
}

// called returns what a client calls a user.
func (b *bundle) called(clientID string, userID int64) string {
	b.Helper()
	list, err := b.ProvisionedUsers(b.ctx, clientID, []int64{userID})
	b.ok(err)
	for _, e := range list {
		return e.ExternalID
	}
	return ""
}

// canonical returns JSON in a form that can be compared: Postgres keeps documents in one of its own. Empty stays empty.
func canonical(b *bundle, raw json.RawMessage) string {
	b.Helper()
	if len(raw) == 0 {
		return ""
	}
	var value any
	b.ok(json.Unmarshal(raw, &value))
	text, err := json.Marshal(value)
	b.ok(err)
	return string(text)
}

func provisionedUsers() cases {
	return cases{
		"a provisioned user comes back as stored, with the name of the client and the event": func(b *bundle) {
			app := b.client("app")
			u := b.newUser("Ada")
			u.Email, u.GivenName, u.Attributes = "ada@example.com", "Ada", json.RawMessage(`{"a":1}`)
			e := b.event("user_created")
			b.ok(b.CreateProvisionedUser(b.ctx, u, app.ID, storage.ProvisionedUser{ExternalID: "00u1"}, e))
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			b.same(got, u)
			b.same(u.AuthEpoch, u.CreatedAt.UnixMicro())
			b.same(b.called(app.ID, u.ID), "00u1")
			events, err := b.ListAudit(b.ctx, storage.AuditFilter{UserID: u.ID, Limit: 10})
			b.ok(err)
			if len(events) != 1 || events[0].Action != "user_created" || e.UserID != u.ID {
				b.Errorf("the events of user %d: %v; the event is about %d", u.ID, events, e.UserID)
			}
			bob := b.newUser("bob")
			b.ok(b.CreateProvisionedUser(b.ctx, bob, app.ID, storage.ProvisionedUser{}, nil))
			b.same(b.called(app.ID, bob.ID), "")
		},
		"what clients have said of a user is kept beside them, for all clients, until they are removed": func(b *bundle) {
			app, other := b.client("app"), b.client("other")
			u, bob := b.newUser("ada"), b.newUser("bob")
			said := json.RawMessage(`{"title":"Dr. \"Ä\" <x>","urn:x:User":{"department":"a\\b"},"phoneNumbers":[{"value":"1"},{"value":"2"}]}`)
			b.ok(b.CreateProvisionedUser(b.ctx, u, app.ID, storage.ProvisionedUser{ExternalID: "x", Attributes: said}, nil))
			b.ok(b.CreateProvisionedUser(b.ctx, bob, app.ID, storage.ProvisionedUser{}, nil))
			read := func(client string) (external, attributes string) {
				b.Helper()
				list, err := b.ProvisionedUsers(b.ctx, client, []int64{bob.ID, u.ID, 4711})
				b.ok(err)
				if len(list) == 0 {
					return "", ""
				}
				b.same(len(list), 1)
				b.same(list[0].UserID, u.ID)
				return list[0].ExternalID, canonical(b, list[0].Attributes)
			}
			is := func(client, external string, attributes json.RawMessage) {
				b.Helper()
				gotExternal, got := read(client)
				b.same(gotExternal, external)
				b.same(got, canonical(b, attributes))
			}
			is(app.ID, "x", said)
			is(other.ID, "", said)
			is("", "", said)

			before, err := b.User(b.ctx, u.ID)
			b.ok(err)
			now, more := kept(b.now).Add(time.Hour), json.RawMessage(`{"title":"Prof."}`)
			b.ok(b.ChangeProvisionedUser(b.ctx, u.ID, storage.ProvisionedChange{ClientID: other.ID, Attributes: &more, Now: now}, b.event("user_updated")))
			b.audited("user_updated", 1)
			is(app.ID, "x", more)
			after, err := b.User(b.ctx, u.ID)
			b.ok(err)
			before.UpdatedAt = now
			b.same(after, before)

			none := json.RawMessage(nil)
			b.ok(b.ChangeProvisionedUser(b.ctx, u.ID, storage.ProvisionedChange{Attributes: &none, Now: now}))
			is(app.ID, "x", nil)
			b.ok(b.ChangeProvisionedUser(b.ctx, u.ID, storage.ProvisionedChange{Attributes: &more, Now: now}))
			is(other.ID, "", more)
			b.ok(b.RemoveUser(b.ctx, u.ID, nil))
			is(app.ID, "", nil)
		},
		"of changes of what all have read of a user, one is made": func(b *bundle) {
			app := b.client("app")
			u, said := b.newUser("ada"), json.RawMessage(`{"title":"Dr."}`)
			b.ok(b.CreateProvisionedUser(b.ctx, u, app.ID, storage.ProvisionedUser{ExternalID: "x", Attributes: said}, nil))
			read := func() (*storage.User, *storage.ProvisionedUser) {
				b.Helper()
				u, err := b.User(b.ctx, u.ID)
				b.ok(err)
				list, err := b.ProvisionedUsers(b.ctx, app.ID, []int64{u.ID})
				b.ok(err)
				return u, list[0]
			}
			for _, edit := range []func(c *storage.ProvisionedChange, i int){
				func(c *storage.ProvisionedChange, i int) { external := fmt.Sprint("ext-", i); c.ExternalID = &external },
				func(c *storage.ProvisionedChange, i int) {
					raw := json.RawMessage(fmt.Sprintf(`{"title":"%d"}`, i))
					c.Attributes = &raw
				},
				func(c *storage.ProvisionedChange, i int) { name := fmt.Sprint("name ", i); c.Name = &name },
			} {
				was, beside := read()
				b.oneWins(atOnce(8, func(i int) error {
					c := storage.ProvisionedChange{UserChange: storage.UserChange{Was: was}, ClientID: app.ID, WasProvisioned: beside, Now: b.now}
					edit(&c, i)
					return b.ChangeProvisionedUser(b.ctx, u.ID, c)
				}), storage.ErrConflict)
			}
			_, beside := read()
			for what, was := range map[string]storage.ProvisionedUser{
				"another external id": {ExternalID: "other", Attributes: beside.Attributes}, "no external id": {Attributes: beside.Attributes},
				"other attributes": {ExternalID: beside.ExternalID, Attributes: json.RawMessage(`{"title":"?"}`)}, "no attributes": {ExternalID: beside.ExternalID},
			} {
				if err := b.ChangeProvisionedUser(b.ctx, u.ID, storage.ProvisionedChange{ClientID: app.ID, WasProvisioned: &was, Now: b.now}, b.event("nothing")); !errors.Is(err, storage.ErrConflict) {
					b.Errorf("%s: %v", what, err)
				}
			}
			b.audited("nothing", 0)
			b.ok(b.ChangeProvisionedUser(b.ctx, u.ID, storage.ProvisionedChange{ClientID: app.ID, WasProvisioned: beside, Now: b.now}))
		},
		"a name is taken whatever its case, and nothing is stored then": func(b *bundle) {
			app := b.client("app")
			b.variants("ada", "bob", "BOB")
			for _, name := range []string{"ada", "ADA", "Bob"} {
				b.is(b.CreateProvisionedUser(b.ctx, b.newUser(name), app.ID, storage.ProvisionedUser{ExternalID: "x"}, b.event("nothing")), storage.ErrExists)
			}
			b.ok(b.CreateProvisionedUser(b.ctx, b.newUser("ÄDA"), app.ID, storage.ProvisionedUser{}, nil))
			b.ok(b.CreateProvisionedUser(b.ctx, b.newUser("äda"), app.ID, storage.ProvisionedUser{}, nil)) // only ASCII letters, as at a login
			b.is(b.CreateProvisionedUser(b.ctx, b.newUser("new"), "nobody", storage.ProvisionedUser{ExternalID: "x"}, b.event("nothing")), storage.ErrNotFound)
			b.is(second(b.UserByUsername(b.ctx, "new")), storage.ErrNotFound)
			b.audited("nothing", 0)
			list, err := b.UsersByExternalID(b.ctx, app.ID, "x", 10)
			b.ok(err)
			b.same(len(list), 0)
		},
		"of users with one name in several cases, created or renamed at once, one gets it": func(b *bundle) {
			app := b.client("app")
			for round := range 4 {
				name := func(i int) string {
					return fmt.Sprint("round", round) + strings.Repeat("a", i) + strings.Repeat("A", 31-i)
				}
				old := make([]*storage.User, 16)
				for i := range old {
					old[i] = b.user(fmt.Sprint("old ", round, " ", i))
				}
				b.oneWins(atOnce(32, func(i int) error {
					wanted := name(i)
					change := storage.UserChange{Username: &wanted}
					switch i % 4 {
					case 0:
						return b.ChangeProvisionedUser(b.ctx, old[i/2].ID, storage.ProvisionedChange{UserChange: change, Now: b.now}, nil)
					case 1:
						return b.CreateProvisionedUser(b.ctx, b.newUser(wanted), app.ID, storage.ProvisionedUser{ExternalID: fmt.Sprint(i)}, nil)
					case 2:
						return b.UpdateUser(b.ctx, old[i/2].ID, change, b.now, nil)
					}
					return b.CreateUser(b.ctx, b.newUser(wanted))
				}), storage.ErrExists)
				n, err := b.CountUsers(b.ctx, storage.UserFilter{Username: name(0), Fold: true})
				b.ok(err)
				b.same(n, 1)
			}
		},
		"a change of a provisioned user is made as a whole": func(b *bundle) {
			app := b.client("app")
			u := b.member("ada", "staff")
			now, name, hash, off, ext := kept(b.now.Add(time.Hour)), "Ada", "new hash", false, "00u1"
			note := &storage.LogoutNotice{ID: storage.NewID(now), ClientID: app.ID, UserID: u.ID, CreatedAt: now, NextAttemptAt: now, ExpiresAt: now.Add(time.Hour)}
			b.ok(b.ChangeProvisionedUser(b.ctx, u.ID, storage.ProvisionedChange{
				UserChange: storage.UserChange{Username: &name, Name: &name}, Active: &off, PasswordHash: &hash, ClientID: app.ID, ExternalID: &ext,
				Notices: []*storage.LogoutNotice{note}, Now: now,
			}, b.event("user_updated"), b.event("user_disabled"), nil))
			b.audited("user_updated", 1)
			b.audited("user_disabled", 1)
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			u.Username, u.Name, u.PasswordHash, u.Active, u.AuthEpoch, u.UpdatedAt = name, name, hash, off, now.UnixMicro(), now
			b.same(got, u)
			b.same(b.called(app.ID, u.ID), ext)
			notices, err := b.ClaimLogoutNotices(b.ctx, now, time.Minute, 10)
			b.ok(err)
			b.same(len(notices), 1)

			on, none := true, ""
			b.ok(b.ChangeProvisionedUser(b.ctx, u.ID, storage.ProvisionedChange{Active: &on, ClientID: app.ID, ExternalID: &none, Now: now.Add(time.Hour)}))
			got, err = b.User(b.ctx, u.ID)
			b.ok(err)
			u.Active = on
			b.same(got, u) // sessions that have ended stay so, and the profile is as it was
			b.same(b.called(app.ID, u.ID), "")
			b.ok(b.call(app.ID, u.ID, "z"))
			b.ok(b.ChangeProvisionedUser(b.ctx, u.ID, storage.ProvisionedChange{Now: now}))
			got, err = b.User(b.ctx, u.ID)
			b.ok(err)
			b.same(got, u)
		},
		"a change that can't be made as a whole is none": func(b *bundle) {
			app := b.client("app")
			u, other := b.member("ada"), b.member("Bob")
			name, taken, hash, ext, off := "Ada", "bOB", "new hash", "x", false
			change := func(edit func(*storage.ProvisionedChange)) error {
				c := storage.ProvisionedChange{
					UserChange: storage.UserChange{Name: &name}, Active: &off, PasswordHash: &hash, ClientID: app.ID, ExternalID: &ext, Now: b.now,
					Notices: []*storage.LogoutNotice{{ID: storage.NewID(b.now), ClientID: app.ID, UserID: u.ID, CreatedAt: b.now, NextAttemptAt: b.now, ExpiresAt: b.now.Add(time.Hour)}},
				}
				edit(&c)
				return b.ChangeProvisionedUser(b.ctx, u.ID, c, b.event("nothing"))
			}
			b.is(change(func(c *storage.ProvisionedChange) { c.Username = &taken }), storage.ErrExists)
			b.is(change(func(c *storage.ProvisionedChange) { c.ClientID = "nobody" }), storage.ErrNotFound)
			b.is(change(func(c *storage.ProvisionedChange) { c.Was = other }), storage.ErrConflict)
			b.is(change(func(c *storage.ProvisionedChange) {
				was := *u
				was.Active = false
				c.Was = &was
			}), storage.ErrConflict)
			for _, text := range oddText() {
				if utf8.ValidString(text) && !strings.ContainsRune(text, 0) {
					continue
				}
				if change(func(c *storage.ProvisionedChange) { c.ExternalID = &text }) == nil || change(func(c *storage.ProvisionedChange) { c.Username = &text }) == nil {
					b.Errorf("%q was stored", text)
				}
			}
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			b.same(got, u)
			b.same(b.called(app.ID, u.ID), "")
			b.is(b.ChangeProvisionedUser(b.ctx, 4711, storage.ProvisionedChange{UserChange: storage.UserChange{Name: &name}, Now: b.now}, b.event("nothing")), storage.ErrNotFound)
			b.audited("nothing", 0)
			notices, err := b.ClaimLogoutNotices(b.ctx, b.now, time.Minute, 10)
			b.ok(err)
			b.same(len(notices), 0)
			b.ok(change(func(c *storage.ProvisionedChange) { c.Was = u }))
			same := "ADA" // the user's own name in another case is free
			b.ok(change(func(c *storage.ProvisionedChange) { c.Username, c.Active = &same, nil }))
		},
	}
}
