package storagetest

import (
	"encoding/json"
	"fmt"
	"time"

	"latchkey/storage"
)

// profile returns one with every field set.
func profile(now time.Time) storage.UserProfile {
	return storage.UserProfile{
		EmailVerified: true, Name: "Zoë \"Z\" Ångström", GivenName: "Zoë", FamilyName: "Ångström",
		Picture: "https://img.example.org/zoe?s=64&d=x", Locale: "de-AT", ZoneInfo: "Europe/Vienna",
		Groups:     []string{"Domain Users", "a,b", `c"d\`, "ü"},
		Attributes: json.RawMessage(`{"tenant":"acme","nested":{"list":[1,2.5,null,true,"x"]}}`),
		UpdatedAt:  now,
	}
}

func userProfiles() cases {
	return cases{
		"a user without a profile has an empty one": func(b *bundle) {
			u := b.user("ada")
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			b.same(got.UserProfile, storage.UserProfile{})
			if got.Groups != nil || got.Attributes != nil || !got.UpdatedAt.IsZero() {
				b.Errorf("groups %v, attributes %s, updated %v", got.Groups, got.Attributes, got.UpdatedAt)
			}
		},
		"an update changes what it names and leaves the rest": func(b *bundle) {
			u := b.user("ada")
			want, later := profile(b.now), b.now.Add(time.Minute)
			name, email, staff := "ada lovelace", "ada@example.org", true
			b.ok(b.UpdateUser(b.ctx, u.ID, storage.UserChange{
				Username: &name, Email: &email, EmailVerified: &want.EmailVerified, Staff: &staff,
				Name: &want.Name, GivenName: &want.GivenName, FamilyName: &want.FamilyName, Picture: &want.Picture,
				Locale: &want.Locale, ZoneInfo: &want.ZoneInfo, Groups: &want.Groups, Attributes: &want.Attributes,
			}, b.now, b.event("updated")))
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			changed := *u
			changed.Username, changed.Email, changed.Staff, changed.UserProfile = name, email, true, want
			changed.CreatedAt, changed.UpdatedAt = kept(u.CreatedAt), kept(b.now)
			b.same(got, &changed)

			empty, no, none, nothing := "", false, []string{}, json.RawMessage(nil)
			b.ok(b.UpdateUser(b.ctx, u.ID, storage.UserChange{
				EmailVerified: &no, Picture: &empty, Groups: &none, Attributes: &nothing,
			}, later, b.event("updated")))
			got, err = b.User(b.ctx, u.ID)
			b.ok(err)
			changed.EmailVerified, changed.Picture, changed.Groups, changed.Attributes, changed.UpdatedAt = false, "", nil, nil, kept(later)
			b.same(got, &changed)
			b.audited("updated", 2)
		},
		"a user who is renamed keeps the grants": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			g := b.grant(u, c)
			name := "countess"
			b.ok(b.UpdateUser(b.ctx, u.ID, storage.UserChange{Username: &name}, b.now, nil))
			if live := b.live(g.ID); live.User.Username != name || live.User.AuthEpoch != live.UserEpoch {
				b.Errorf("%q, epoch %d of %d", live.User.Username, live.UserEpoch, live.User.AuthEpoch)
			}
			b.is(second(b.UserByUsername(b.ctx, "ada")), storage.ErrNotFound)
			b.selected(storage.GrantFilter{UserID: u.ID, LiveAt: b.now}, g)
		},
		"an update never takes another user's name": func(b *bundle) {
			b.user("ada")
			bob := b.user("bob")
			taken, other := "ada", "other@example.org"
			b.is(b.UpdateUser(b.ctx, bob.ID, storage.UserChange{Username: &taken, Email: &other}, b.now, b.event("nothing")), storage.ErrExists)
			got, err := b.User(b.ctx, bob.ID)
			b.ok(err)
			if got.Username != "bob" || got.Email != "" {
				b.Errorf("%+v", got)
			}
			own := "bob"
			b.ok(b.UpdateUser(b.ctx, bob.ID, storage.UserChange{Username: &own}, b.now, nil))
			b.is(b.UpdateUser(b.ctx, bob.ID+1, storage.UserChange{Email: &other}, b.now, b.event("nothing")), storage.ErrNotFound)
			b.audited("nothing", 0)
		},
		"parallel updates of different fields all count": func(b *bundle) {
			u := b.user("ada")
			text := "x"
			changes := []storage.UserChange{
				{Email: &text}, {Name: &text}, {GivenName: &text}, {FamilyName: &text}, {Picture: &text}, {Locale: &text}, {ZoneInfo: &text},
			}
			for _, err := range atOnce(len(changes), func(i int) error { return b.UpdateUser(b.ctx, u.ID, changes[i], b.now, nil) }) {
				b.ok(err)
			}
			got, err := b.User(b.ctx, u.ID)
			b.ok(err)
			p := got.UserProfile
			if all := fmt.Sprint(got.Email, p.Name, p.GivenName, p.FamilyName, p.Picture, p.Locale, p.ZoneInfo); all != "xxxxxxx" {
				b.Errorf("%q", all)
			}
		},
		"of parallel renames to one name exactly one succeeds": func(b *bundle) {
			var ids []int64
			for i := range 8 {
				ids = append(ids, b.user(fmt.Sprint("user ", i)).ID)
			}
			name := "ada"
			b.oneWins(atOnce(len(ids), func(i int) error {
				return b.UpdateUser(b.ctx, ids[i], storage.UserChange{Username: &name}, b.now, nil)
			}), storage.ErrExists)
		},
		"the profile is read with a grant and a code where it is asked for": func(b *bundle) {
			u, c := &storage.User{Username: "zoe", Active: true, CreatedAt: b.now, UserProfile: profile(b.now)}, b.client("app")
			b.ok(b.CreateUser(b.ctx, u))
			g := b.grant(u, c)
			want := u.UserProfile
			want.UpdatedAt = kept(want.UpdatedAt)
			b.same(b.live(g.ID).User.UserProfile, storage.UserProfile{})
			live, err := b.GrantWithProfile(b.ctx, g.ID)
			b.ok(err)
			b.same(live.User.UserProfile, want)
			plain := b.live(g.ID)
			live.User.UserProfile = storage.UserProfile{}
			b.same(live, plain)
			b.is(second(b.GrantWithProfile(b.ctx, storage.NewID(b.now))), storage.ErrNotFound)
			b.ok(b.RemoveUser(b.ctx, u.ID, nil))
			live, err = b.GrantWithProfile(b.ctx, g.ID)
			b.ok(err)
			if live.User != nil {
				b.Errorf("removed user %+v", live.User)
			}
		},
		"no text of a profile breaks an update": func(b *bundle) {
			u := b.user("ada")
			for name, s := range oddText() {
				quoted, _ := json.Marshal(map[string]string{s: s})
				groups, attributes := []string{s}, json.RawMessage(quoted)
				err := b.UpdateUser(b.ctx, u.ID, storage.UserChange{Name: &s, Email: &s, Groups: &groups, Attributes: &attributes}, b.now, nil)
				if err != nil {
					b.Errorf("%s: %v", name, err)
					continue
				}
				got, err := b.User(b.ctx, u.ID)
				b.ok(err)
				if storable(s) && (got.Name != s || got.Groups[0] != s) {
					b.Errorf("%s: %q, %q", name, got.Name, got.Groups)
				}
			}
		},
	}
}
