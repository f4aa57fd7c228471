package storagetest

import (
	"context"
	"testing"
	"time"

	"latchkey/storage"
	"latchkey/storage/testclock"
)

// Benchmark measures the statements of a refresh, one after the other.
func Benchmark(b *testing.B, s storage.Store) {
	testclock.Set(s, func() time.Time { return start })
	u := &storage.User{Username: "ada", CreatedAt: start, Active: true}
	c := &storage.Client{ID: "app", Metadata: []byte("{}"), CreatedAt: start, UpdatedAt: start}
	g := &storage.Grant{
		ID: storage.NewID(start), ClientID: c.ID, UserID: 1, UserEpoch: start.UnixMicro(), ClientEpoch: start.UnixMicro(), Scope: []string{"openid", "email"},
		AuthTime: start, CreatedAt: start, ExpiresAt: start.Add(time.Hour), Current: storage.TokenID{1}, AMR: []string{"pwd"},
	}
	for _, err := range []error{s.CreateUser(b.Context(), u), s.CreateClient(b.Context(), c, nil), s.CreateGrant(b.Context(), g, nil)} {
		if err != nil {
			b.Fatal(err)
		}
	}
	for name, call := range map[string]func(context.Context) error{
		"Grant": func(ctx context.Context) error { _, err := s.Grant(ctx, g.ID); return err },
		"MoveGrant": func(ctx context.Context) error {
			_, err := s.MoveGrant(ctx, storage.GrantMove{ID: g.ID, From: g.Current, Window: 10 * time.Second}, nil)
			return err
		},
		"MoveGrant to another token": func(ctx context.Context) error {
			_, err := s.MoveGrant(ctx, storage.GrantMove{ID: g.ID, From: g.Current, To: g.Current}, nil)
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := call(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
