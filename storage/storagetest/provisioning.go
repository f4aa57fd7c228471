package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/storage"
)

// newGroup makes a group that is not stored.
func (b *bundle) newGroup(name string) *storage.ProvisionedGroup {
	b.drawn++
	now := kept(b.now).Add(time.Duration(b.drawn) * time.Millisecond) // so that IDs are in the order of creation
	return &storage.ProvisionedGroup{ID: storage.NewID(now), Name: name, CreatedAt: now, UpdatedAt: now}
}

// member makes a user who is in groups.
func (b *bundle) member(name string, groups ...string) *storage.User {
	b.Helper()
	u := &storage.User{Username: name, Email: name + "@example.com", Active: true, CreatedAt: kept(b.now), UserProfile: storage.UserProfile{Groups: groups}}
	b.ok(b.CreateUser(b.ctx, u))
	return u
}

// group makes a group with members.
func (b *bundle) group(name string, members ...int64) *storage.ProvisionedGroup {
	b.Helper()
	g := b.newGroup(name)
	b.ok(b.CreateProvisionedGroup(b.ctx, g, "", members))
	return g
}

// groupsOf returns the groups of a user.
func (b *bundle) groupsOf(u *storage.User) []string {
	b.Helper()
	read, err := b.User(b.ctx, u.ID)
	b.ok(err)
	return read.Groups
}

// call keeps what a client calls a user.
func (b *bundle) call(clientID string, userID int64, externalID string) error {
	return b.ChangeProvisionedUser(b.ctx, userID, storage.ProvisionedChange{ClientID: clientID, ExternalID: &externalID, Now: b.now})
}

// membersOf returns who is in a group.
func (b *bundle) membersOf(name string) (ids []int64) {
	b.Helper()
	list, err := b.GroupMembers(b.ctx, []string{name})
	b.ok(err)
	for _, m := range list {
		ids = append(ids, m.UserID)
	}
	return ids
}

// named returns the names of the groups that a filter selects.
func (b *bundle) named(f storage.ProvisionedGroupFilter) (names []string) {
	b.Helper()
	list, err := b.SearchProvisionedGroups(b.ctx, f)
	b.ok(err)
	for _, g := range list {
		names = append(names, g.Name)
	}
	if n, err := b.CountProvisionedGroups(b.ctx, f); err != nil || n != len(names) && f.Limit+f.Offset == 0 {
		b.Fatalf("%d groups of %v: %v", n, names, err)
	}
	return names
}

func provisioning() cases {
	return cases{
		"a group comes back as stored, with or without members": func(b *bundle) {
			app := b.client("app")
			ada, bob := b.member("ada", "staff"), b.member("bob")
			g := b.newGroup("the admins")
			g.ExternalID = "ext-1"
			b.ok(b.CreateProvisionedGroup(b.ctx, g, app.ID, []int64{bob.ID, ada.ID, ada.ID, 4711}, b.event("group_created")))
			b.audited("group_created", 1)
			list, err := b.SearchProvisionedGroups(b.ctx, storage.ProvisionedGroupFilter{ClientID: app.ID, ID: g.ID})
			b.ok(err)
			b.same(list, []*storage.ProvisionedGroup{g})
			b.same(b.groupsOf(ada), []string{"staff", "the admins"})
			b.same(b.groupsOf(bob), []string{"the admins"})
			members, err := b.GroupMembers(b.ctx, []string{"the admins", "staff"})
			b.ok(err)
			b.same(members, []*storage.GroupMember{
				{Group: "staff", UserID: ada.ID, Username: "ada"},
				{Group: "the admins", UserID: ada.ID, Username: "ada"},
				{Group: "the admins", UserID: bob.ID, Username: "bob"},
			})
			b.group("empty")
			b.same(b.named(storage.ProvisionedGroupFilter{}), []string{"the admins", "empty"})
		},
		"a name of a group is taken once": func(b *bundle) {
			b.group("staff")
			b.is(b.CreateProvisionedGroup(b.ctx, b.newGroup("staff"), "", nil, b.event("twice")), storage.ErrExists)
			other := b.group("Staff")
			name := "staff"
			b.is(b.ChangeGroup(b.ctx, storage.GroupChange{ID: other.ID, Name: &name, Now: b.now}, b.event("twice")), storage.ErrExists)
			b.audited("twice", 0)
			b.oneWins(atOnce(8, func(int) error {
				g := &storage.ProvisionedGroup{ID: storage.NewID(b.now), Name: "race", CreatedAt: b.now, UpdatedAt: b.now}
				return b.CreateProvisionedGroup(b.ctx, g, "", nil)
			}), storage.ErrExists)
		},
		"a group that users are in is adopted with one id, whoever asks": func(b *bundle) {
			b.member("ada", "staff", "ärzte")
			b.member("bob", "staff", "other")
			b.group("ärzte")
			b.ok(b.AdoptGroups(b.ctx, []string{"staff", "unknown", "ärzte"}, b.now))
			b.same(b.named(storage.ProvisionedGroupFilter{Names: []string{"staff", "other", "unknown"}}), []string{"staff"})
			for _, err := range atOnce(8, func(int) error { return b.AdoptGroups(b.ctx, nil, b.now) }) {
				b.ok(err)
			}
			names := b.named(storage.ProvisionedGroupFilter{})
			slices.Sort(names)
			b.same(names, []string{"other", "staff", "ärzte"})
		},
		"a change of a group is that of all who are in it": func(b *bundle) {
			app := b.client("app")
			ada, bob, carol := b.member("ada", "one", "staff", "two"), b.member("bob", "staff"), b.member("carol", "crew", "staff")
			b.ok(b.AdoptGroups(b.ctx, nil, b.now))
			list, err := b.SearchProvisionedGroups(b.ctx, storage.ProvisionedGroupFilter{Names: []string{"staff"}})
			b.ok(err)
			g := list[0]
			name, ext, now := "team", "ext", b.now.Add(time.Hour)
			dora := b.member("dora")
			b.ok(b.ChangeGroup(b.ctx, storage.GroupChange{
				ID: g.ID, Name: &name, ClientID: app.ID, ExternalID: &ext, Add: []int64{dora.ID, ada.ID, 4711}, Remove: []int64{bob.ID, 4711}, Now: now,
			}, b.event("changed"), nil, b.event("changed")))
			b.audited("changed", 2)
			b.same(b.groupsOf(ada), []string{"one", "team", "two"})
			b.same(b.groupsOf(bob), []string(nil))
			b.same(b.groupsOf(carol), []string{"crew", "team"})
			b.same(b.groupsOf(dora), []string{"team"})
			list, err = b.SearchProvisionedGroups(b.ctx, storage.ProvisionedGroupFilter{ClientID: app.ID, ExternalID: "ext"})
			b.ok(err)
			b.same(list, []*storage.ProvisionedGroup{{ID: g.ID, Name: "team", ExternalID: "ext", CreatedAt: g.CreatedAt, UpdatedAt: kept(now)}})
			read, err := b.User(b.ctx, bob.ID)
			b.ok(err)
			b.same(read.UpdatedAt, kept(now))
			b.same(read.AuthEpoch, bob.AuthEpoch) // sessions go on

			other := "crew" // by that name an operator may have put users into a group meanwhile
			b.ok(b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, Name: &name, Now: now}))
			gone := storage.NewID(b.now)
			b.is(b.ChangeGroup(b.ctx, storage.GroupChange{ID: gone, Name: &other, Add: []int64{ada.ID}, Now: now}, b.event("nothing")), storage.ErrNotFound)
			b.audited("nothing", 0)
			b.same(b.groupsOf(ada), []string{"one", "team", "two"})
			none := ""
			b.ok(b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, ClientID: app.ID, ExternalID: &none, Now: now}))
			b.same(b.named(storage.ProvisionedGroupFilter{ClientID: app.ID, ExternalID: "ext"}), []string(nil))
		},
		"a user who is in a group of the new name already is in it once": func(b *bundle) {
			g := b.group("old")
			ada := b.member("ada", "new", "x", "old")
			name := "new"
			b.ok(b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, Name: &name, Now: b.now}))
			b.same(b.groupsOf(ada), []string{"x", "new"})
		},
		"many who change one group change it one after the other": func(b *bundle) {
			g := b.group("staff")
			var ids []int64
			for i := range 8 {
				ids = append(ids, b.member(fmt.Sprint("user-", i)).ID)
			}
			for _, err := range atOnce(8, func(i int) error {
				return b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, Add: []int64{ids[i], ids[(i+1)%8]}, Now: b.now})
			}) {
				b.ok(err)
			}
			members, err := b.GroupMembers(b.ctx, []string{"staff"})
			b.ok(err)
			b.same(len(members), 8)
		},
		"of changes of what all have read of a group, one is made": func(b *bundle) {
			app := b.client("app")
			g := b.group("staff", b.member("ada").ID)
			ext := "x"
			b.ok(b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, ClientID: app.ID, ExternalID: &ext, Now: b.now}))
			read := func() *storage.GroupState {
				return &storage.GroupState{Name: "staff", ClientID: app.ID, ExternalID: ext, Members: b.membersOf("staff")}
			}
			var ids []int64
			for i := range 8 {
				ids = append(ids, b.member(fmt.Sprint("user-", i)).ID)
			}
			was := read()
			b.oneWins(atOnce(8, func(i int) error {
				return b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, Add: []int64{ids[i]}, Now: b.now, Was: was}, b.event("changed"))
			}), storage.ErrConflict)
			b.audited("changed", 1)
			b.same(len(b.membersOf("staff")), 2)

			was = read()
			for what, edit := range map[string]func(*storage.GroupState){
				"another name":        func(s *storage.GroupState) { s.Name = "crew" },
				"another external id": func(s *storage.GroupState) { s.ExternalID = "y" },
				"no external id":      func(s *storage.GroupState) { s.ExternalID = "" },
				"another client":      func(s *storage.GroupState) { s.ClientID = "nobody" },
				"one member less":     func(s *storage.GroupState) { s.Members = s.Members[1:] },
				"one member more":     func(s *storage.GroupState) { s.Members = append(slices.Clone(s.Members), 1<<50) },
				"no members":          func(s *storage.GroupState) { s.Members = nil },
			} {
				other := *was
				edit(&other)
				err := b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, Add: ids, Now: b.now, Was: &other}, b.event("nothing"))
				if removed := b.RemoveProvisionedGroup(b.ctx, g.ID, &other, b.now, b.event("nothing")); !errors.Is(err, storage.ErrConflict) || !errors.Is(removed, storage.ErrConflict) {
					b.Errorf("%s: changed %v, removed %v", what, err, removed)
				}
			}
			b.same(read(), was)
			b.ok(b.RemoveProvisionedGroup(b.ctx, g.ID, was, b.now))
			b.is(b.RemoveProvisionedGroup(b.ctx, g.ID, was, b.now, b.event("nothing")), storage.ErrConflict)
			b.is(b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, Now: b.now, Was: was}, b.event("nothing")), storage.ErrConflict)
			b.audited("nothing", 0)
			b.ok(b.RemoveProvisionedGroup(b.ctx, b.group("empty").ID, &storage.GroupState{Name: "empty"}, b.now))
		},
		"a group is removed from all who are in it": func(b *bundle) {
			ada := b.member("ada", "x", "staff")
			g := b.group("staff")
			b.ok(b.RemoveProvisionedGroup(b.ctx, g.ID, nil, b.now, b.event("group_removed")))
			b.audited("group_removed", 1)
			b.same(b.groupsOf(ada), []string{"x"})
			b.is(b.RemoveProvisionedGroup(b.ctx, g.ID, nil, b.now, b.event("group_removed")), storage.ErrNotFound)
			b.audited("group_removed", 1)
			b.same(b.named(storage.ProvisionedGroupFilter{}), []string(nil))
		},
		"groups are listed by pages": func(b *bundle) {
			for i := range 5 {
				b.group(fmt.Sprint("g", i))
			}
			b.same(b.named(storage.ProvisionedGroupFilter{Offset: 1, Limit: 2}), []string{"g1", "g2"})
			b.same(b.named(storage.ProvisionedGroupFilter{Offset: 4, Limit: 2}), []string{"g4"})
			b.same(b.named(storage.ProvisionedGroupFilter{Offset: 9, Limit: 2}), []string(nil))
		},
		"an external id is that of one client": func(b *bundle) {
			one, two := b.client("one"), b.client("two")
			ada, bob := b.member("ada"), b.member("bob")
			b.ok(b.call(one.ID, ada.ID, "a"))
			b.ok(b.call(one.ID, ada.ID, "x"))
			b.ok(b.call(one.ID, bob.ID, "x"))
			b.ok(b.call(two.ID, bob.ID, "y"))
			of := func(client string) (ids []string) {
				list, err := b.ProvisionedUsers(b.ctx, client, []int64{ada.ID, bob.ID, 4711})
				b.ok(err)
				for _, e := range list {
					ids = append(ids, fmt.Sprintf("%t %s", e.UserID == ada.ID, e.ExternalID))
				}
				return ids
			}
			b.same(of(one.ID), []string{"true x", "false x"})
			b.same(of(two.ID), []string{"false y"})
			who := func(client, id string, limit int) (names []string) {
				list, err := b.UsersByExternalID(b.ctx, client, id, limit)
				b.ok(err)
				for _, u := range list {
					names = append(names, u.Username)
				}
				return names
			}
			b.same(who(one.ID, "x", 5), []string{"ada", "bob"})
			b.same(who(one.ID, "x", 1), []string{"ada"})
			b.same(who(two.ID, "x", 5), []string(nil))
			b.ok(b.call(one.ID, ada.ID, ""))
			b.ok(b.call(one.ID, ada.ID, ""))
			b.same(who(one.ID, "x", 5), []string{"bob"})
			b.ok(b.RemoveUser(b.ctx, bob.ID, nil))
			b.same(who(two.ID, "y", 5), []string(nil))
			b.is(b.call(one.ID, bob.ID, "x"), storage.ErrNotFound)
			b.is(b.call("nobody", ada.ID, "x"), storage.ErrNotFound)
			b.ok(b.call(two.ID, ada.ID, "z"))
			b.ok(b.RemoveClient(b.ctx, two.ID, nil))
			b.same(of(two.ID), []string(nil))
		},
		"users are counted and listed by pages, names without regard to case": func(b *bundle) {
			for _, name := range []string{"Ada", "bob", "carol", "ada2", "ÄDA"} {
				b.member(name, "staff")
			}
			count := func(f storage.UserFilter) int {
				n, err := b.CountUsers(b.ctx, f)
				b.ok(err)
				list, err := b.SearchUsers(b.ctx, f)
				b.ok(err)
				everyone, err := b.SearchUsers(b.ctx, storage.UserFilter{})
				b.ok(err)
				selected := 0
				for _, u := range everyone {
					if f.Selects(u) {
						selected++
					}
				}
				if n != len(list) || n != selected {
					b.Errorf("%+v: %d counted, %d listed, %d selected", f, n, len(list), selected)
				}
				return n
			}
			b.same(count(storage.UserFilter{}), 5)
			b.same(count(storage.UserFilter{Group: "staff", Text: "ada"}), 2)
			b.same(count(storage.UserFilter{Username: "aDA", Fold: true}), 1)
			b.same(count(storage.UserFilter{Username: "aDA"}), 0)
			b.same(count(storage.UserFilter{Username: "äda", Fold: true}), 0) // ASCII only
			b.same(count(storage.UserFilter{Email: "ADA@Example.com", Fold: true}), 1)
			list, err := b.SearchUsers(b.ctx, storage.UserFilter{Offset: 1, Limit: 2})
			b.ok(err)
			b.same([]string{list[0].Username, list[1].Username}, []string{"bob", "carol"})
			n, err := b.CountUsers(b.ctx, storage.UserFilter{Offset: 1, Limit: 2})
			b.ok(err)
			b.same(n, 5)
		},
		"text that can't be stored names no group": func(b *bundle) {
			app := b.client("app")
			ada, g := b.member("ada"), b.group("staff")
			for _, text := range oddText() {
				b.same(b.named(storage.ProvisionedGroupFilter{Names: []string{text}}), []string(nil))
				b.same(b.named(storage.ProvisionedGroupFilter{ClientID: app.ID, ExternalID: text}), []string(nil))
				users, err := b.UsersByExternalID(b.ctx, app.ID, text, 1)
				b.ok(err)
				b.same(users, []*storage.User(nil))
				members, err := b.GroupMembers(b.ctx, []string{text})
				b.ok(err)
				b.same(members, []*storage.GroupMember(nil))
				if utf8.ValidString(text) && !strings.ContainsRune(text, 0) {
					continue
				}
				if b.ChangeGroup(b.ctx, storage.GroupChange{ID: g.ID, Name: &text, Now: b.now}) == nil {
					b.Errorf("%q became a name", text)
				}
				if b.call(app.ID, ada.ID, text) == nil {
					b.Errorf("%q became an external id", text)
				}
			}
		},
	}
}
