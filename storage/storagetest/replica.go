package storagetest

import (
	"fmt"
	"time"

	"latchkey/storage"
)

// replica makes a replica that has started a number of seconds after the begin of the case.
func (b *bundle) replica(seconds int) *storage.Replica {
	at := kept(b.now.Add(time.Duration(seconds) * time.Second))
	return &storage.Replica{
		ID: storage.NewID(at), Host: fmt.Sprint("latchkey-", seconds), Release: "v1.2.3", Schema: 21, ClockAhead: -12, Issuer: "https://id.example.com", StartedAt: at, SeenAt: at,
	}
}

func replicas() cases {
	list := func(b *bundle, want ...*storage.Replica) {
		b.Helper()
		got, err := b.ListReplicas(b.ctx)
		b.ok(err)
		b.same(got, want)
	}
	return cases{
		"what a replica says last is stored, and those that were not seen go": func(b *bundle) {
			list(b)
			first, second := b.replica(0), b.replica(1)
			b.ok(b.NoteReplica(b.ctx, second, first.SeenAt))
			b.ok(b.NoteReplica(b.ctx, first, first.SeenAt))
			list(b, first, second)
			first.SeenAt, first.ClockAhead, first.Release = first.SeenAt.Add(time.Minute), 70_000, "v1.2.4"
			first.Issuer = "https://login.example.com"
			b.ok(b.NoteReplica(b.ctx, first, second.SeenAt)) // seen at that time
			list(b, first, second)
			b.ok(b.NoteReplica(b.ctx, first, second.SeenAt.Add(time.Microsecond)))
			list(b, first)
			b.ok(b.NoteReplica(b.ctx, first, first.SeenAt.Add(time.Hour))) // never itself
			list(b, first)
		},
		"a replica that stops is removed": func(b *bundle) {
			r := b.replica(0)
			b.ok(b.RemoveReplica(b.ctx, r.ID))
			b.ok(b.NoteReplica(b.ctx, r, r.SeenAt))
			b.ok(b.RemoveReplica(b.ctx, r.ID))
			list(b)
		},
		"replicas that speak at once": func(b *bundle) {
			for _, err := range atOnce(8, func(i int) error { return b.NoteReplica(b.ctx, b.replica(i), b.now.Add(-time.Hour)) }) {
				b.ok(err)
			}
			got, err := b.ListReplicas(b.ctx)
			b.ok(err)
			if len(got) != 8 {
				b.Errorf("%d replicas, want 8", len(got))
			}
		},
	}
}
