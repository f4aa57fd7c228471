package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/storage"
)

// consent lets a user allow a client something.
func (b *bundle) consent(u *storage.User, c *storage.Client, scope ...string) *storage.Consent {
	b.Helper()
	k := b.newConsent(u, c, scope...)
	b.ok(b.GrantConsent(b.ctx, k, nil))
	return k.Single()
}

func (b *bundle) newConsent(u *storage.User, c *storage.Client, scope ...string) *storage.Consent {
	now := kept(b.now)
	return &storage.Consent{UserID: u.ID, ClientID: c.ID, Scope: scope, CreatedAt: now, UpdatedAt: now}
}

// revoke takes a consent back and tells whether there was something to take.
func (b *bundle) revoke(u *storage.User, c *storage.Client) bool {
	b.Helper()
	e := storage.ConsentEnd{UserID: u.ID, ClientID: c.ID, Reason: "account", Now: b.now}
	ended, err := b.RevokeConsent(b.ctx, e, b.event("consent_revoked"))
	b.ok(err)
	return ended
}

// allowedBy stops the case unless a user has given these consents.
func (b *bundle) allowedBy(u *storage.User, want ...*storage.Consent) {
	b.Helper()
	got, err := b.ListConsents(b.ctx, u.ID, 100)
	b.ok(err)
	b.same(got, want)
}

func consents() cases {
	return cases{
		"a consent comes back as stored": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			k := b.newConsent(u, c, "openid", "email")
			k.Audience, k.Fingerprint = []string{"https://api.example/", "urn:a"}, b.digest()
			b.ok(b.GrantConsent(b.ctx, k, b.event("consent_given")))
			b.allowedBy(u, k.Single())
			b.allowedBy(b.user("bob"))
			b.audited("consent_given", 1)
		},
		"consents are found by user and by client, a page at a time": func(b *bundle) {
			ada, bob, app, web := b.user("ada"), b.user("bob"), b.client("app"), b.client("web")
			all := []*storage.Consent{b.consent(ada, app, "read"), b.consent(ada, web, "read"), b.consent(bob, app, "write")}
			for _, c := range []struct {
				filter storage.ConsentFilter
				want   []*storage.Consent
			}{
				{storage.ConsentFilter{}, all},
				{storage.ConsentFilter{UserID: ada.ID}, all[:2]},
				{storage.ConsentFilter{ClientID: app.ID}, []*storage.Consent{all[0], all[2]}},
				{storage.ConsentFilter{UserID: bob.ID, ClientID: app.ID}, all[2:]},
				{storage.ConsentFilter{UserID: bob.ID, ClientID: web.ID}, nil},
				{storage.ConsentFilter{ClientID: "a\x00b"}, nil},
				{storage.ConsentFilter{AfterUser: ada.ID, AfterClient: app.ID}, all[1:]},
				{storage.ConsentFilter{ClientID: app.ID, AfterUser: ada.ID, AfterClient: app.ID}, all[2:]},
			} {
				c.filter.Limit = 10
				got, err := b.SearchConsents(b.ctx, c.filter)
				b.ok(err)
				b.same(got, c.want)
			}
			got, err := b.SearchConsents(b.ctx, storage.ConsentFilter{Limit: 1})
			b.ok(err)
			b.same(got, all[:1])
		},
		"a consent adds to the one before": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			first := b.newConsent(u, c, "openid", "email")
			first.Audience, first.Fingerprint = []string{"urn:a"}, b.digest()
			b.ok(b.GrantConsent(b.ctx, first, nil))
			b.now = b.now.Add(time.Minute)
			then := b.newConsent(u, c, "profile", "email")
			then.Audience, then.Fingerprint = []string{"urn:b"}, first.Fingerprint
			b.ok(b.GrantConsent(b.ctx, then, nil))
			then = then.Single()
			then.Scope, then.Audience, then.CreatedAt = []string{"openid", "email", "profile"}, []string{"urn:a", "urn:b"}, first.CreatedAt
			then.At["urn:a"] = []string{"openid", "email"}
			b.allowedBy(u, then)
		},
		"a consent for one host counts for no other": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			for _, host := range []string{"a.example", "b.example:8443", "a.example", ""} {
				k := b.newConsent(u, c, "read")
				if k.RedirectHost = host; host == "" {
					k.Scope = []string{"openid"}
				}
				k.Audience = []string{"urn:a"}
				b.ok(b.GrantConsent(b.ctx, k, nil))
			}
			list, err := b.ListConsents(b.ctx, u.ID, 10)
			b.ok(err)
			at := []string{"urn:a"}
			for host, scope := range map[string]string{"a.example": "read", "b.example:8443": "read", "": "openid"} {
				for _, other := range []string{"read", "openid"} {
					if got := list[0].Allows([]string{other}, at, host); got != (other == scope) {
						b.Errorf("%q at %q: %v", other, host, got)
					}
				}
			}
			if list[0].Allows([]string{"read"}, at, "b.example") || list[0].Allows([]string{"read"}, nil, "a.example") {
				b.Errorf("allows %v", list[0].At)
			}
		},
		"A5: a scope is allowed where it was allowed, and nowhere else": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			for _, allowed := range []struct {
				scope    string
				audience []string
			}{{"read", []string{"urn:a", "urn:c"}}, {"admin", []string{"urn:b"}}, {"openid", nil}, {"write", []string{"urn:a"}}, {"openid", nil}} {
				k := b.newConsent(u, c, allowed.scope)
				k.Audience = allowed.audience
				b.ok(b.GrantConsent(b.ctx, k, nil))
			}
			list, err := b.ListConsents(b.ctx, u.ID, 10)
			b.ok(err)
			want := storage.ScopeAt{"urn:a": {"read", "write"}, "urn:b": {"admin"}, "urn:c": {"read"}, "": {"openid"}}
			if b.same(list[0].At, want); list[0].Allows([]string{"admin"}, []string{"urn:a"}, "") || !list[0].Allows([]string{"read"}, []string{"urn:a", "urn:c"}, "") {
				b.Errorf("allows %v", list[0].At)
			}
			s := b.newBrowser(u)
			b.ok(b.CreateBrowserSession(b.ctx, s, storage.Digest{}, nil))
			live, err := b.BrowserSession(b.ctx, s.Hash, c.ID)
			b.ok(err)
			b.same(live.Consent.At, want)
		},
		"what was offered is kept apart from what was named": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			k := b.newConsent(u, c, "read")
			k.Offered = []string{"urn:a", "urn:b"}
			b.ok(b.GrantConsent(b.ctx, k, nil))
			named := b.newConsent(u, c, "write")
			named.Audience = []string{"urn:a"}
			b.ok(b.GrantConsent(b.ctx, named, nil))
			list, err := b.ListConsents(b.ctx, u.ID, 10)
			b.ok(err)
			b.same(list[0].At, storage.ScopeAt{"": {"read"}, "?urn:a": {"read"}, "?urn:b": {"read"}, "urn:a": {"write"}})
			for resource, scope := range map[string]string{"urn:a": "read write", "urn:b": "read"} {
				for _, name := range []string{"read", "write"} {
					if list[0].AllowsOffered([]string{name}, resource, "") != strings.Contains(scope, name) {
						b.Errorf("%s at %s", name, resource)
					}
				}
			}
			if list[0].Allows([]string{"read"}, []string{"urn:a"}, "") || list[0].AllowsOffered([]string{"read"}, "urn:c", "") {
				b.Error("what was offered counts as named")
			}
			b.same(list[0].Audience, []string{"urn:a", "urn:b"})
		},
		"a consent to nothing adds nothing": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			b.allowedBy(u)
			k := b.consent(u, c)
			b.allowedBy(u, k)
			k = b.consent(u, c, "openid")
			b.consent(u, c)
			b.allowedBy(u, k)
		},
		"a consent with another fingerprint replaces the one before": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			fingerprints := []storage.Digest{{}, b.digest(), b.digest(), {}}
			created := kept(b.now)
			for i, fingerprint := range fingerprints {
				b.now = b.now.Add(time.Minute)
				k := b.newConsent(u, c, fmt.Sprint("scope", i))
				k.Fingerprint, k.Audience = fingerprint, []string{fmt.Sprint("urn:", i)}
				if i == 0 {
					k.CreatedAt = created
				}
				b.ok(b.GrantConsent(b.ctx, k, nil))
				k.CreatedAt = created
				b.allowedBy(u, k.Single())
			}
		},
		"A2: a client that changes can drop the consents to it, and no other": func(b *bundle) {
			u, app, web := b.user("ada"), b.client("app"), b.client("web")
			stays, gone := b.consent(u, web, "openid"), b.consent(u, app, "openid")
			b.ok(b.UpdateClient(b.ctx, app, b.event("client_updated")))
			b.allowedBy(u, gone, stays)
			app.DropConsents = true
			b.ok(b.UpdateClient(b.ctx, app, b.event("client_updated"), b.event("client_trust_withdrawn")))
			b.allowedBy(u, stays)
			stale := *app
			stale.Version--
			again := b.consent(u, app, "openid")
			b.is(b.UpdateClient(b.ctx, &stale, nil), storage.ErrConflict)
			b.allowedBy(u, again, stays)
			b.audited("client_updated", 2)
			b.audited("client_trust_withdrawn", 1)
		},
		"parallel consents lose nothing of each other": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			var want []string
			for i := range 20 {
				want = append(want, fmt.Sprintf("scope%02d", i))
			}
			for _, err := range atOnce(len(want), func(i int) error {
				return b.GrantConsent(b.ctx, b.newConsent(u, c, "openid", want[i]), b.event("consent_given"))
			}) {
				b.ok(err)
			}
			list, err := b.ListConsents(b.ctx, u.ID, 10)
			b.ok(err)
			if len(list) != 1 {
				b.Fatalf("%d consents", len(list))
			}
			slices.Sort(list[0].Scope)
			b.same(list[0].Scope, append([]string{"openid"}, want...))
			slices.Sort(list[0].At[""])
			b.same(list[0].At[""], list[0].Scope)
			b.audited("consent_given", 20)
		},
		"consents are listed by client in byte order": func(b *bundle) {
			u := b.user("ada")
			want := map[string]*storage.Consent{}
			for _, id := range []string{"b", "ä", "Z", "a"} {
				want[id] = b.consent(u, b.client(id), "openid")
			}
			b.allowedBy(u, want["Z"], want["a"], want["b"], want["ä"])
			list, err := b.ListConsents(b.ctx, u.ID, 2)
			b.ok(err)
			b.same(list, []*storage.Consent{want["Z"], want["a"]})
		},
		"taking a consent back ends every grant of this user with this client, and no other": func(b *bundle) {
			u, bob, app, web := b.user("ada"), b.user("bob"), b.client("app"), b.client("web")
			b.consent(u, app, "openid")
			stays := b.consent(u, web, "openid")
			others := b.consent(bob, app, "openid")
			gone := newGrant(storage.NewID(b.now), u, app, b.now)
			gone.Scope = []string{"offline_access"}
			b.ok(b.CreateGrant(b.ctx, gone, nil))
			b.grant(u, app)
			adaWeb, bobApp := b.grant(u, web), b.grant(bob, app)
			if !b.revoke(u, app) {
				b.Error("there was nothing to take back")
			}
			b.selected(storage.GrantFilter{LiveAt: b.now}, adaWeb, bobApp)
			if got := b.live(gone.ID); got.RevokeReason != "account" || !got.RevokedAt.Equal(kept(b.now)) {
				b.Errorf("revoked at %v, reason %q", got.RevokedAt, got.RevokeReason)
			}
			b.allowedBy(u, stays)
			b.allowedBy(bob, others)
			if b.revoke(u, app) {
				b.Error("there was something to take back a second time")
			}
			b.audited("consent_revoked", 1)
		},
		"there is something to take back when there is a consent or a live grant": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			b.consent(u, c, "openid")
			if !b.revoke(u, c) {
				b.Error("a consent is nothing")
			}
			g := b.grant(u, c)
			if !b.revoke(u, c) {
				b.Error("a live grant is nothing")
			}
			ended := b.grant(u, c)
			b.now = g.ExpiresAt
			if b.revoke(u, c) {
				b.Error("a grant that has ended is something")
			}
			b.now = start
			b.dead(ended)
			b.audited("consent_revoked", 2)
		},
		"of parallel withdrawals exactly one finds something": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			b.consent(u, c, "openid")
			b.grant(u, c)
			b.grant(u, c)
			found := make([]bool, 16)
			for _, err := range atOnce(len(found), func(i int) (err error) {
				e := storage.ConsentEnd{UserID: u.ID, ClientID: c.ID, Reason: "account", Now: b.now}
				found[i], err = b.RevokeConsent(b.ctx, e, b.event("consent_revoked"))
				return err
			}) {
				b.ok(err)
			}
			n := 0
			for _, f := range found {
				if f {
					n++
				}
			}
			if n != 1 {
				b.Errorf("%d found something", n)
			}
			b.audited("consent_revoked", 1)
		},
		"who gets the ID of a removed user or client inherits no consent": func(b *bundle) {
			u, bob, app, web := b.user("ada"), b.user("bob"), b.client("app"), b.client("web")
			b.consent(u, app, "openid")
			b.consent(u, web, "openid")
			bobs := b.consent(bob, web, "openid")
			b.consent(bob, app, "openid")
			b.ok(b.RemoveUser(b.ctx, u.ID, nil))
			b.ok(b.CreateUser(b.ctx, &storage.User{ID: u.ID, Username: "ada", Active: true, CreatedAt: b.now}))
			b.allowedBy(u)
			b.ok(b.RemoveClient(b.ctx, "app", nil))
			b.client("app")
			b.allowedBy(bob, bobs)
		},
		"nobody who is not there can allow anything, nor be allowed": func(b *bundle) {
			u, c := b.user("ada"), b.client("app")
			b.ok(b.RemoveUser(b.ctx, u.ID, nil))
			b.is(b.GrantConsent(b.ctx, b.newConsent(u, c, "openid"), b.event("consent_given")), storage.ErrNotFound)
			b.is(b.GrantConsent(b.ctx, b.newConsent(b.user("bob"), newClient("nobody", b.now), "openid"), b.event("consent_given")), storage.ErrNotFound)
			b.audited("consent_given", 0)
		},
		"no consent survives that its user is removed at the same time": func(b *bundle) {
			c := b.client("app")
			for range 2 * rounds {
				u := b.user("ada")
				errs := atOnce(2, func(i int) error {
					if i == 0 {
						return b.RemoveUser(b.ctx, u.ID, nil)
					}
					return b.GrantConsent(b.ctx, b.newConsent(u, c, "openid"), nil)
				})
				b.ok(errs[0])
				if errs[1] != nil {
					b.is(errs[1], storage.ErrNotFound)
				}
				b.allowedBy(u)
			}
		},
	}
}
