package storagetest

import "latchkey/storage"

func resources() cases {
	return cases{
		"resources come back as stored, in the order of their identifiers": func(b *bundle) {
			api := &storage.Resource{Identifier: "https://api.example/", Name: "Äpi", Scopes: []string{"read", "write"}, CreatedAt: b.now}
			urn := &storage.Resource{Identifier: "urn:example:a", CreatedAt: b.now}
			upper := &storage.Resource{Identifier: "HTTPS://api.example/", CreatedAt: b.now}
			for _, r := range []*storage.Resource{urn, api, upper} {
				b.ok(b.CreateResource(b.ctx, r, b.event("resource_added")))
				r.CreatedAt = kept(r.CreatedAt)
			}
			got, err := b.ListResources(b.ctx)
			b.ok(err)
			b.same(got, []*storage.Resource{upper, api, urn})
			b.audited("resource_added", 3)
		},
		"a taken identifier changes nothing": func(b *bundle) {
			winner := b.oneWins(atOnce(8, func(i int) error {
				r := &storage.Resource{Identifier: "urn:a", Name: string(rune('a' + i)), CreatedAt: b.now}
				return b.CreateResource(b.ctx, r, b.event("resource_added"))
			}), storage.ErrExists)
			got, err := b.ListResources(b.ctx)
			b.ok(err)
			if len(got) != 1 || got[0].Name != string(rune('a'+winner)) {
				b.Errorf("%d resources", len(got))
			}
			b.audited("resource_added", 1)
		},
		"what was removed is gone": func(b *bundle) {
			b.ok(b.CreateResource(b.ctx, &storage.Resource{Identifier: "urn:a", CreatedAt: b.now}, nil))
			b.ok(b.RemoveResource(b.ctx, "urn:a", b.event("resource_removed")))
			got, err := b.ListResources(b.ctx)
			b.ok(err)
			if len(got) != 0 {
				b.Errorf("%d resources are left", len(got))
			}
			b.is(b.RemoveResource(b.ctx, "urn:a", b.event("resource_removed")), storage.ErrNotFound)
			b.audited("resource_removed", 1)
		},
	}
}
