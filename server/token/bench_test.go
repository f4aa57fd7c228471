package token_test

import (
	"context"
	"testing"

	"latchkey/clients"
	"latchkey/server/token"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// grantStore answers grants from memory, so that a benchmark shows the service and not the database.
type grantStore struct {
	storage.Store
	live *storage.LiveGrant
}

func (s grantStore) Grant(_ context.Context, _ storage.ID) (*storage.LiveGrant, error) {
	live := *s.live
	return &live, nil
}

func (s grantStore) MoveGrant(ctx context.Context, m storage.GrantMove, _ *storage.AuditEvent) (*storage.LiveGrant, error) {
	return s.Grant(ctx, m.ID)
}

func (s grantStore) AttemptGrant(ctx context.Context, a storage.GrantAttempt) (*storage.LiveGrant, int, error) {
	live, err := s.Grant(ctx, a.ID)
	return live, 0, err
}

func BenchmarkClientCredentials(b *testing.B) {
	for _, client := range []string{"strict", "opaque"} {
		b.Run(client, func(b *testing.B) {
			w := newWorld(b, sqlitetest.SQLite(b))
			req := &token.Request{Client: w.credentials(client), GrantType: clients.GrantClientCredentials}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := w.svc.Exchange(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefresh is everything but the database.
func BenchmarkRefresh(b *testing.B) {
	for _, client := range []string{"strict", "opaque", clients.SimpleJWTID} {
		b.Run(client, func(b *testing.B) {
			w := newWorld(b, sqlitetest.SQLite(b))
			first := w.login(client)
			live, err := w.store.Grant(b.Context(), first.GrantID)
			if err != nil {
				b.Fatal(err)
			}
			w.cfg.Store = grantStore{w.store, live}
			if client == clients.SimpleJWTID {
				w.setRotation(clients.SimpleJWTID, clients.RotationStrict)
			}
			svc, err := token.New(w.cfg)
			if err != nil {
				b.Fatal(err)
			}
			req := &token.Request{Client: w.credentials(client), GrantType: clients.GrantRefreshToken, RefreshToken: first.RefreshToken}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := svc.Exchange(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
