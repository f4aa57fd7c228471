package token_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/simplejwt"
	"latchkey/server/token"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

const (
	home      = "192.0.2.7"
	alsoHome  = "192.0.2.201" // the same /24
	elsewhere = "198.51.100.9"
)

func (w *world) tryRefreshFrom(address, client string, r storage.Secret) (*token.Response, error) {
	ctx := request.With(w.t.Context(), &request.Info{Address: netip.MustParseAddr(address)})
	return w.svc.Exchange(ctx, &token.Request{Client: w.credentials(client), GrantType: clients.GrantRefreshToken, RefreshToken: r})
}

func (w *world) refreshFrom(address, client string, r storage.Secret) storage.Secret {
	w.t.Helper()
	resp, err := w.tryRefreshFrom(address, client, r)
	if err != nil {
		w.t.Fatalf("refresh at %s from %s: %v", client, address, err)
	}
	return resp.RefreshToken
}

// count returns how many audit events of an action there are.
func (w *world) count(action string) int {
	w.t.Helper()
	events, err := w.store.ListAudit(w.t.Context(), storage.AuditFilter{Action: action})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(events)
}

// generationOf returns the generation that anybody can read in a refresh token.
func generationOf(t *testing.T, r storage.Secret) int64 {
	t.Helper()
	if text, ok := strings.CutPrefix(r.Reveal(), "lk_rt_"); ok {
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return int64(binary.BigEndian.Uint64(b[49:]))
	}
	_, claims := claimsOf(t, r)
	return int64(claims["gen"].(float64))
}

// thief presents what he has from another network, and adopts what he gets as his way has it.
type thief func(t *testing.T, has, got storage.Secret) storage.Secret

func TestA3AnEagerThiefIsCaught(t *testing.T) {
	thieves := map[string]thief{
		"keeps his copy":      func(_ *testing.T, has, _ storage.Secret) storage.Secret { return has },
		"adopts what he gets": func(_ *testing.T, _, got storage.Secret) storage.Secret { return got },
		"follows the owner":   follow,
	}
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{clients.SimpleJWTID, "confirmed"} {
			for name, way := range thieves {
				owner := w.login(client).RefreshToken
				stolen := owner
				caught := false
				// One who follows the owner confirms every second token himself, so that he joins for the third time in the sixth
				// turn; the owner learns of it in the seventh.
				for range 7 {
					resp, err := w.tryRefreshFrom(home, client, owner)
					if err != nil {
						caught = true
						break
					}
					owner = resp.RefreshToken
					for range 7 {
						w.clock.Advance(3 * time.Second)
						if got, err := w.tryRefreshFrom(elsewhere, client, stolen); err == nil {
							stolen = way(t, stolen, got.RefreshToken)
						}
					}
				}
				if !caught {
					t.Errorf("%s: a thief who %s is not caught", client, name)
				}
				for _, r := range []storage.Secret{owner, stolen} {
					if _, err := w.tryRefreshFrom(home, client, r); err == nil {
						t.Errorf("%s: the session lives after a thief who %s was caught", client, name)
					}
				}
			}
		}
		w.audited("refresh_token_shared")
		w.audited("refresh_token_reused")
	})
}

// follow is the way of one who reads generations: he goes on with his token until it was retired, and takes the token that he is given
// then, which is the owner's next.
func follow(t *testing.T, has, got storage.Secret) storage.Secret {
	if generationOf(t, got) > generationOf(t, has)+1 {
		return got
	}
	return has
}

func TestA3ASlowTabGoesOnWorking(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{clients.SimpleJWTID, "confirmed", "strict-overlap"} {
			// joins are the retirements after which the slow tab presents the retired token.
			rotate := func(from string, retirements int, joins ...bool) storage.Secret {
				t.Helper()
				var previous storage.Secret
				r := w.refreshFrom(home, client, w.login(client).RefreshToken)
				for i := range retirements {
					w.clock.Advance(time.Minute)
					next := w.refreshFrom(home, client, r)
					if joins[i%len(joins)] {
						for range 3 {
							w.clock.Advance(2 * time.Second)
							slow := previous
							if client == "strict-overlap" {
								slow = r
							}
							if got := w.refreshFrom(from, client, slow); got != next {
								t.Errorf("%s: the slow tab got another token than the fast one", client)
							}
						}
					}
					previous, r = r, next
				}
				return r
			}
			before := w.count("refresh_token_shared")
			rotate(alsoHome, 8, false, true, true, true, true, true, true, true)
			if n := w.count("refresh_token_shared"); n != before {
				t.Errorf("%s: %d joins from the same network were counted", client, n-before)
			}
			// Twice in a row, then a retirement without it.
			rotate(elsewhere, 9, false, true, true)
			if n := w.count("refresh_token_shared") - before; n != 6 {
				t.Errorf("%s: %d retirements were joined from another network, want 6, each noted once", client, n)
			}
		}
	})
}

func TestA4AHoarderGetsNothing(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		const client, day = clients.SimpleJWTID, 24 * time.Hour
		expires := func(r storage.Secret) int64 {
			_, claims := claimsOf(t, r)
			return int64(claims["exp"].(float64))
		}
		// The owner presents R0 until its end and never adopts; the thief keeps what R0 was worth in each window.
		r0 := w.login(client).RefreshToken
		var hoard []storage.Secret
		for range 6 {
			w.clock.Advance(day)
			w.refresh(client, r0)
			hoard = append(hoard, w.refresh(client, r0).RefreshToken)
		}
		for i, r := range hoard {
			if capped := expires(r) <= expires(r0); capped != (i >= 2) {
				t.Errorf("the successor of window %d ends at %d, R0 at %d", i+1, expires(r), expires(r0))
			}
		}
		w.clock.Advance(day + 12*time.Hour)
		w.refused(client, r0, reasons.Expired)
		w.refused(client, hoard[5], reasons.Expired)
		w.refused(client, hoard[1], reasons.Superseded)
		w.refused(client, hoard[0], reasons.SessionRevoked)

		// A client that adopts is touched by neither: its answer was lost again and again, or it comes back after the end of the parent.
		r := w.login(client).RefreshToken
		for range 4 {
			w.clock.Advance(time.Minute)
			w.refresh(client, r)
		}
		r = w.refresh(client, w.refresh(client, r).RefreshToken).RefreshToken
		if left := expires(r) - w.clock.Now().Unix(); left < int64((7*day-time.Minute)/time.Second) {
			t.Errorf("a client that adopted after four lost answers has %d s left", left)
		}
		w.clock.Advance(6 * day)
		w.refresh(client, r) // lost
		w.clock.Advance(time.Minute)
		next := w.refresh(client, r).RefreshToken
		w.clock.Advance(5 * day)
		w.refused(client, r, reasons.Expired)
		w.refresh(client, next)
	})
}

// skewed returns the world's service on a server whose clock is off. The database is the same, and so is its clock.
func (w *world) skewed(by time.Duration) *world {
	other := *w
	now := func() time.Time { return w.clock.Now().Add(by) }
	other.cfg.Now = now
	svc, err := token.New(other.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	other.svc = svc
	other.simplejwt = simplejwt.NewService(svc, w.format, w.clients, now)
	return &other
}

func TestA12ServersWhoseClocksDiffer(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		servers := []*world{w, w.skewed(time.Minute), w.skewed(-time.Minute)}
		for _, client := range []string{clients.SimpleJWTID, "confirmed", "strict-overlap"} {
			w.clock.Advance(time.Hour)
			r := servers[0].login(client).RefreshToken
			for generation := range 4 {
				var at atomic.Int64
				got, errs := w.inParallel(9, func() (*token.Response, error) {
					return servers[at.Add(1)%3].tryRefresh(client, r)
				})
				for i, err := range errs {
					if err != nil {
						t.Fatalf("%s, generation %d: %v", client, generation, err)
					}
					if got[i].RefreshToken != got[0].RefreshToken {
						t.Fatalf("%s, generation %d: tabs at several servers got different successors", client, generation)
					}
				}
				w.clock.Advance(time.Minute)
				r = got[0].RefreshToken
			}
			// The overlap is ten seconds, whichever server is asked.
			previous := r
			if r = servers[2].refresh(client, r).RefreshToken; client != "strict-overlap" {
				r = servers[1].refresh(client, r).RefreshToken
			}
			w.clock.Advance(10 * time.Second)
			for _, s := range servers {
				s.refresh(client, previous)
			}
			w.clock.Advance(time.Second)
			servers[2].refused(client, previous, reasons.Retired)
		}
	})
}

// lossy is a database that can be away, and that loses the answer to a write which it has done.
type lossy struct {
	storage.Store
	away, lose atomic.Bool
}

func (l *lossy) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	if l.away.Load() {
		return nil, storage.ErrUnavailable
	}
	return l.Store.Grant(ctx, id)
}

func (l *lossy) MoveGrant(ctx context.Context, m storage.GrantMove, e *storage.AuditEvent) (*storage.LiveGrant, error) {
	if l.away.Load() {
		return nil, storage.ErrUnavailable
	}
	moved, err := l.Store.MoveGrant(ctx, m, e)
	if l.lose.Load() {
		return nil, storage.ErrUnavailable
	}
	return moved, err
}

func (l *lossy) AttemptGrant(ctx context.Context, a storage.GrantAttempt) (*storage.LiveGrant, int, error) {
	if l.away.Load() {
		return nil, 0, storage.ErrUnavailable
	}
	moved, which, err := l.Store.AttemptGrant(ctx, a)
	if l.lose.Load() {
		return nil, 0, storage.ErrUnavailable
	}
	return moved, which, err
}

func TestF4AnOutageDoesNotEndSessions(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		db := &lossy{Store: store}
		w := newWorld(t, db)
		outage := func(during func()) {
			t.Helper()
			db.lose.Store(true)
			during()
			db.lose.Store(false)
			db.away.Store(true)
			for range 10 {
				w.clock.Advance(time.Minute)
				during()
			}
			db.away.Store(false)
		}
		lost := func(client string, r storage.Secret) {
			t.Helper()
			if _, err := w.tryRefresh(client, r); protocol.AsError(err).Status != 503 {
				t.Fatalf("%s: %v, want an outage", client, err)
			}
		}
		// The retry joins, at the second client after the outage as well as at the first.
		r1, r2 := w.login("strict-overlap").RefreshToken, w.login("strict-overlap").RefreshToken
		outage(func() { lost("strict-overlap", r1); lost("strict-overlap", r2) })
		for _, r := range []storage.Secret{r1, r2} {
			next := w.refresh("strict-overlap", r).RefreshToken
			w.clock.Advance(2 * time.Second)
			w.refresh("strict-overlap", next)
		}
		w.clock.Advance(10 * time.Second)
		w.refused("strict-overlap", r1, reasons.Retired)

		// Under confirmed the answer of one tab was lost; both go on with the same successor.
		r := w.login("confirmed").RefreshToken
		first := w.refresh("confirmed", r).RefreshToken
		outage(func() { lost("confirmed", r) })
		if second := w.refresh("confirmed", r).RefreshToken; second != first {
			t.Error("the window has run while the database was away")
		}
		// A client that gives up begins no outage.
		r = w.login("strict-overlap").RefreshToken
		w.refresh("strict-overlap", r)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		w.clock.Advance(time.Minute)
		db.away.Store(true)
		w.svc.Exchange(gone, &token.Request{Client: w.credentials("strict-overlap"), GrantType: clients.GrantRefreshToken, RefreshToken: r})
		db.away.Store(false)
		w.refused("strict-overlap", r, reasons.Retired)
	})
}

func TestA9AnOldSecretForgesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqlitetest.SQLite(t))
	first := w.login("confirmed")
	backup, err := w.store.Grant(t.Context(), first.GrantID)
	if err != nil {
		t.Fatal(err)
	}
	r := first.RefreshToken
	for range 3 {
		w.clock.Advance(time.Minute)
		r = w.refresh("confirmed", r).RefreshToken
	}
	restored := w.restore(backup.Grant)
	restored.cfg.Root = rootOf(t, "another root secret, long enough for this", strings.Repeat("s", 32))
	restored.serve(nil)
	restored.refused("confirmed", r, reasons.Superseded)
}
