package storagetest

import (
	"encoding/json"
	"time"

	"latchkey/storage"
)

func auditEvents() cases {
	return cases{
		"an event comes back as written": func(b *bundle) {
			full := &storage.AuditEvent{
				ID: storage.NewID(b.now.Add(time.Second)), At: b.now, Action: "refresh_token_reused", Actor: "client", UserID: 7,
				ClientID: "app", GrantID: storage.NewID(b.now), Address: "192.0.2.1", RequestID: "r-1", Outcome: "denied",
				Reason: "generation", Details: json.RawMessage(`{"generation":3,"age":"1s"}`), ActorID: "client:backup",
			}
			bare := &storage.AuditEvent{ID: storage.NewID(b.now), At: b.now, Action: "started", Actor: "server", Outcome: "success"}
			b.ok(b.AppendAudit(b.ctx, bare, full))
			full.At, bare.At = kept(full.At), kept(bare.At)
			got, err := b.ListAudit(b.ctx, storage.AuditFilter{})
			b.ok(err)
			b.same(got, []*storage.AuditEvent{full, bare})
		},
		"events are listed newest first, page by page": func(b *bundle) {
			var want []storage.ID
			for i := range 8 {
				e := b.event("login")
				e.ID, e.UserID = storage.NewID(b.now.Add(time.Duration(i)*time.Second)), 7
				b.ok(b.AppendAudit(b.ctx, e))
				want = append([]storage.ID{e.ID}, want...)
			}
			for _, f := range []storage.AuditFilter{{Limit: 3}, {Limit: 3, UserID: 7, Action: "login"}} {
				var got []storage.ID
				for {
					page, err := b.ListAudit(b.ctx, f)
					b.ok(err)
					for _, e := range page {
						got = append(got, e.ID)
					}
					if len(page) > 3 {
						b.Fatalf("a page of %d", len(page))
					}
					if len(page) < 3 {
						break
					}
					f.Before = got[len(got)-1]
				}
				b.same(got, want)
			}
		},
		"events after one are listed oldest first": func(b *bundle) {
			var ids []storage.ID
			for i := range 5 {
				e := b.event("login")
				e.ID = storage.NewID(b.now.Add(time.Duration(i) * time.Second))
				b.ok(b.AppendAudit(b.ctx, e))
				ids = append(ids, e.ID)
			}
			var got []storage.ID
			for _, f := range []storage.AuditFilter{{After: ids[0], Limit: 3}, {After: ids[3], Before: ids[4]}, {After: ids[3], Action: "login"}, {After: ids[4]}} {
				page, err := b.ListAudit(b.ctx, f)
				b.ok(err)
				for _, e := range page {
					got = append(got, e.ID)
				}
			}
			b.same(got, ids[1:])
		},
		"a filter selects by each of its fields": func(b *bundle) {
			grant := storage.NewID(b.now)
			change := []func(*storage.AuditEvent){
				func(e *storage.AuditEvent) { e.UserID = 7 },
				func(e *storage.AuditEvent) { e.ClientID = "app" },
				func(e *storage.AuditEvent) { e.GrantID = grant },
				func(e *storage.AuditEvent) { e.Action = "other" },
			}
			for i, f := range []storage.AuditFilter{{UserID: 7}, {ClientID: "app"}, {GrantID: grant}, {Action: "other"}} {
				e := b.event("login")
				change[i](e)
				b.ok(b.AppendAudit(b.ctx, e))
				got, err := b.ListAudit(b.ctx, f)
				b.ok(err)
				if len(got) != 1 || got[0].ID != e.ID {
					b.Errorf("%+v selects %d events", f, len(got))
				}
			}
			got, err := b.ListAudit(b.ctx, storage.AuditFilter{UserID: 7, ClientID: "app"})
			b.ok(err)
			if len(got) != 0 {
				b.Errorf("two fields together select %d events", len(got))
			}
		},
		"events are appended together or not at all": func(b *bundle) {
			first, second := b.event("first"), b.event("second")
			b.ok(b.AppendAudit(b.ctx, first))
			b.is(b.AppendAudit(b.ctx, second, first), storage.ErrExists)
			b.audited("second", 0)
			b.audited("first", 1)
			b.ok(b.AppendAudit(b.ctx))
		},
	}
}
