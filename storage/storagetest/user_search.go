package storagetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"latchkey/storage"
)

func userSearch() cases {
	add := func(b *bundle, name string, change func(*storage.User)) *storage.User {
		u := &storage.User{Username: name, Active: true, CreatedAt: kept(b.now)}
		change(u)
		b.ok(b.CreateUser(b.ctx, u))
		return u
	}
	search := func(b *bundle, f storage.UserFilter) (names []string) {
		b.Helper()
		list, err := b.SearchUsers(b.ctx, f)
		b.ok(err)
		for _, u := range list {
			names = append(names, u.Username)
		}
		return names
	}
	return cases{
		"a filter selects by each of its fields": func(b *bundle) {
			add(b, "ada", func(u *storage.User) {
				u.Email, u.Groups = "Ada@example.com", []string{"staff", "the admins"}
			})
			add(b, "Bob_%", func(u *storage.User) { u.Subject, u.Active, u.Name = "b-1", false, "Ada's brother" })
			add(b, "carol", func(u *storage.User) { u.Groups = []string{"staff"} })
			yes, no := true, false
			for _, c := range []struct {
				f    storage.UserFilter
				want []string
			}{
				{storage.UserFilter{}, []string{"ada", "Bob_%", "carol"}},
				{storage.UserFilter{Limit: 2}, []string{"ada", "Bob_%"}},
				{storage.UserFilter{Username: "ada"}, []string{"ada"}},
				{storage.UserFilter{Username: "Ada"}, nil},
				{storage.UserFilter{Email: "Ada@example.com"}, []string{"ada"}},
				{storage.UserFilter{Subject: "b-1"}, []string{"Bob_%"}},
				{storage.UserFilter{Group: "the admins"}, []string{"ada"}},
				{storage.UserFilter{Group: "the"}, nil},
				{storage.UserFilter{Group: "staff"}, []string{"ada", "carol"}},
				{storage.UserFilter{Text: "ADA"}, []string{"ada", "Bob_%"}},
				{storage.UserFilter{Text: "_%"}, []string{"Bob_%"}},
				{storage.UserFilter{Text: "%"}, []string{"Bob_%"}},
				{storage.UserFilter{Active: &yes}, []string{"ada", "carol"}},
				{storage.UserFilter{Active: &no}, []string{"Bob_%"}},
				{storage.UserFilter{Active: &yes, Group: "staff", Text: "car"}, []string{"carol"}},
			} {
				if got := search(b, c.f); fmt.Sprint(got) != fmt.Sprint(c.want) {
					b.Errorf("%+v selects %v, want %v", c.f, got, c.want)
				}
				if everyone, err := b.ListUsers(b.ctx, 0, 10); err != nil {
					b.Error(err)
				} else if c.f.Limit == 0 {
					for _, u := range everyone {
						if c.f.Selects(u) != slices.Contains(c.want, u.Username) {
							b.Errorf("%+v selects %s: %v", c.f, u.Username, c.f.Selects(u))
						}
					}
				}
			}
			all, err := b.SearchUsers(b.ctx, storage.UserFilter{})
			b.ok(err)
			b.same(search(b, storage.UserFilter{After: all[0].ID}), []string{"Bob_%", "carol"})
			one, err := b.User(b.ctx, all[0].ID)
			b.ok(err)
			b.same(all[0], one)
		},
		"text that can't be stored selects nobody": func(b *bundle) {
			add(b, "ada", func(*storage.User) {})
			for _, text := range oddText() {
				for _, f := range []storage.UserFilter{{Username: text}, {Email: text}, {Subject: text}, {Group: text}, {Text: text}} {
					b.same(search(b, f), []string(nil))
				}
			}
		},
		"groups are listed by name with their users": func(b *bundle) {
			add(b, "ada", func(u *storage.User) { u.Groups = []string{"staff", "Zoo", "ärzte"} })
			add(b, "bob", func(u *storage.User) { u.Groups = []string{"staff"} })
			add(b, "carol", func(*storage.User) {})
			list, err := b.ListGroups(b.ctx, "", 10)
			b.ok(err)
			b.same(list, []*storage.Group{{Name: "Zoo", Users: 1}, {Name: "staff", Users: 2}, {Name: "ärzte", Users: 1}})
			list, err = b.ListGroups(b.ctx, "Zoo", 1)
			b.ok(err)
			b.same(list, []*storage.Group{{Name: "staff", Users: 2}})
			for _, name := range []string{"empty", "staff"} {
				b.ok(b.CreateProvisionedGroup(b.ctx, &storage.ProvisionedGroup{ID: storage.NewID(b.now), Name: name, CreatedAt: b.now, UpdatedAt: b.now}, "", nil))
			}
			list, err = b.ListGroups(b.ctx, "Zoo", 2)
			b.ok(err)
			b.same(list, []*storage.Group{{Name: "empty"}, {Name: "staff", Users: 2}})
		},
		"a change of a user who is not as read any more is refused": func(b *bundle) {
			u := add(b, "ada", func(u *storage.User) {
				u.Groups, u.Attributes = []string{"a", "b"}, json.RawMessage(`{"n": [1, {"x": null}]}`)
			})
			was, err := b.User(b.ctx, u.ID)
			b.ok(err)
			name, other := "Ada", "Other"
			b.ok(b.UpdateUser(b.ctx, u.ID, storage.UserChange{Name: &name, Was: was}, b.now, b.event("updated")))
			b.is(b.UpdateUser(b.ctx, u.ID, storage.UserChange{Name: &other, Was: was}, b.now.Add(time.Second), b.event("updated")), storage.ErrConflict)
			b.audited("updated", 1)
			now, err := b.User(b.ctx, u.ID)
			b.ok(err)
			if now.Name != "Ada" {
				b.Errorf("the name is %q", now.Name)
			}
			b.is(b.UpdateUser(b.ctx, u.ID+1, storage.UserChange{Name: &other, Was: was}, b.now, nil), storage.ErrConflict)
			groups := []string{"b", "a"}
			b.oneWins(atOnce(8, func(i int) error {
				title := fmt.Sprint("title ", i)
				return b.UpdateUser(b.ctx, u.ID, storage.UserChange{Name: &title, Groups: &groups, Was: now}, b.now, nil)
			}), storage.ErrConflict)
		},
	}
}
