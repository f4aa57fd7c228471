package token_test

import (
	"context"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/token"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// The cases of docs/rotation.md, "What must hold", by number. Case 9 (linearizability) is in storage/storagetest, case 11
// (kill -9) in cmd/latchkey.

// rounds is n, or long when LATCHKEY_TEST_LONG is set (make test-long).
func rounds(n, long int) int {
	if os.Getenv("LATCHKEY_TEST_LONG") != "" {
		return long
	}
	return n
}

func TestCase1ATokenThatIsNeverReplacedWorksForItsWholeLife(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{clients.SimpleJWTID, "confirmed"} {
			r0 := w.login(client).RefreshToken
			end := w.clock.Now().Add(7*24*time.Hour - time.Second)
			for w.clock.Now().Before(end) {
				w.active(w.refresh(client, r0).AccessToken)
				w.clock.Advance(min(end.Sub(w.clock.Now()), time.Duration(rand.Int64N(int64(12*time.Hour)))))
			}
			w.refresh(client, r0)
		}
		r0 := w.login(clients.SimpleJWTID).RefreshToken
		w.clock.Advance(7*24*time.Hour + time.Second)
		w.refused(clients.SimpleJWTID, r0, reasons.Expired)
	})
}

func TestCase2AdoptingClientsGetRealRotation(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{clients.SimpleJWTID, "confirmed", "strict"} {
			chain := []storage.Secret{w.login(client).RefreshToken}
			for i := range 5 {
				w.clock.Advance(time.Minute)
				next := w.refresh(client, chain[i]).RefreshToken
				if next == "" || next == chain[i] {
					t.Fatalf("%s: no successor was issued", client)
				}
				chain = append(chain, next)
			}
			w.clock.Advance(time.Minute)
			w.refused(client, chain[1], reasons.Retired)
			// RFC 9700 §4.14.2: the family is dead, its youngest token too.
			w.refused(client, chain[5], reasons.SessionRevoked)
			w.audited("refresh_token_reused")
		}
	})
}

func TestCase3ALostAnswerLosesNothing(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{clients.SimpleJWTID, "confirmed", "strict-overlap"} {
			r0 := w.login(client).RefreshToken
			w.refresh(client, r0) // lost on its way
			w.clock.Advance(5 * time.Second)
			r1 := w.refresh(client, r0).RefreshToken
			r2 := w.refresh(client, r1).RefreshToken
			w.clock.Advance(time.Minute)
			w.refresh(client, r2)
		}
	})
}

func TestCase4ParallelPresentations(t *testing.T) {
	const n = 50
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{clients.SimpleJWTID, "confirmed", "strict-overlap"} {
			for generation := range 2 { // the first token, and one that is confirmed by its first use
				r := w.login(client).RefreshToken
				for range generation {
					r = w.refresh(client, r).RefreshToken
				}
				got, errs := w.inParallel(n, func() (*token.Response, error) { return w.tryRefresh(client, r) })
				for _, err := range errs {
					if err != nil {
						t.Fatalf("%s, generation %d: %v", client, generation, err)
					}
				}
				for _, resp := range got {
					if resp.RefreshToken != got[0].RefreshToken {
						t.Fatalf("%s, generation %d: two presentations in one window got different successors", client, generation)
					}
				}
				w.refresh(client, got[0].RefreshToken)
			}
		}
		for range rounds(5, 100) {
			r := w.login("strict").RefreshToken
			_, errs := w.inParallel(n, func() (*token.Response, error) { return w.tryRefresh("strict", r) })
			good := 0
			for _, err := range errs {
				if err == nil {
					good++
				} else if e := protocol.AsError(err); e.Code != "invalid_grant" {
					t.Fatalf("strict: %v", err)
				}
			}
			if good != 1 {
				t.Fatalf("strict: %d of %d parallel presentations were served, want exactly one", good, n)
			}
		}
	})
}

func TestCase5TheThiefIsCaught(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{clients.SimpleJWTID, "confirmed"} {
			// Early: both hold R0 and present it in different windows.
			r0 := w.login(client).RefreshToken
			owner := w.refresh(client, r0).RefreshToken
			w.clock.Advance(time.Minute)
			thief := w.refresh(client, r0).RefreshToken
			if owner == thief {
				t.Fatalf("%s: another window gave the same successor", client)
			}
			w.clock.Advance(time.Minute)
			after := w.refresh(client, owner).RefreshToken
			w.clock.Advance(time.Minute)
			w.refused(client, thief, reasons.Superseded)
			w.refused(client, after, reasons.SessionRevoked)

			// Lazy: the thief keeps presenting R0 and never adopts.
			r0 = w.login(client).RefreshToken
			for range 3 {
				w.refresh(client, r0)
				w.clock.Advance(time.Minute)
			}
			r1 := w.refresh(client, r0).RefreshToken
			w.refresh(client, r1)
			w.clock.Advance(time.Minute)
			w.refused(client, r0, reasons.Retired)
			w.refused(client, r1, reasons.SessionRevoked)
		}
	})
}

func TestCase6EveryRefusalHasTheSameWords(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		const client = "confirmed"
		r0 := w.login(client).RefreshToken
		sibling := w.refresh(client, r0).RefreshToken
		w.clock.Advance(time.Minute)
		r1 := w.refresh(client, r0).RefreshToken
		r2 := w.refresh(client, r1).RefreshToken
		w.refresh(client, r2)
		w.clock.Advance(time.Minute)

		superseded := w.refusal(client, sibling)
		retired := w.refusal(client, r1)
		dead := w.refusal(client, r2)
		forged := w.refusal(client, "lk_rt_forged")
		for name, e := range map[string]*protocol.Error{"retired": retired, "of a dead family": dead, "forged": forged} {
			if e.Code != superseded.Code || e.Description != superseded.Description || e.Status != superseded.Status {
				t.Errorf("a token that is %s is refused with %q %q, a superseded one with %q %q",
					name, e.Code, e.Description, superseded.Code, superseded.Description)
			}
		}
	})
}

func TestCase7NothingSurvivesTheEndOfASession(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		ends := map[string]func(client string, r storage.Secret) error{
			"revoke": func(client string, r storage.Secret) error {
				return w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials(client), Token: r})
			},
			"change of the password": func(string, storage.Secret) error {
				return store.SetUserPassword(t.Context(), storage.PasswordChange{UserID: w.user.ID, Hash: w.user.PasswordHash, Now: w.clock.Now()}, nil)
			},
			"log out everywhere": func(string, storage.Secret) error {
				return store.RaiseUserEpoch(t.Context(), w.user.ID, w.clock.Now(), nil)
			},
			"disabling the user": func(string, storage.Secret) error {
				return store.SetUserActive(t.Context(), w.user.ID, false, w.clock.Now(), nil)
			},
			"ending the client's sessions": func(client string, _ storage.Secret) error {
				return store.RaiseClientEpoch(t.Context(), client, w.clock.Now(), nil)
			},
		}
		for name, end := range ends {
			for range rounds(40, 2000) {
				for _, client := range []string{"confirmed", "strict-overlap"} {
					w.clock.Advance(time.Millisecond)
					w.clientsChanged()
					r := w.login(client).RefreshToken
					var minted *token.Response
					var wg sync.WaitGroup
					wg.Go(func() { minted, _ = w.tryRefresh(client, r) })
					wg.Go(func() {
						if err := end(client, r); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					})
					wg.Wait()
					if minted != nil {
						w.inactive(minted.AccessToken)
						if _, err := w.tryRefresh(client, minted.RefreshToken); err == nil {
							t.Fatalf("%s: a token that was minted beside it survived", name)
						}
					}
					if _, err := w.tryRefresh(client, r); err == nil {
						t.Fatalf("%s: the token survived", name)
					}
					if name == "disabling the user" {
						if err := store.SetUserActive(t.Context(), w.user.ID, true, w.clock.Now(), nil); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	})
}

func TestCase8EndsHoldHoweverOftenTheClientRefreshes(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{"strict", "confirmed", clients.SimpleJWTID} {
			start := w.clock.Now()
			r := w.login(client).RefreshToken
			for w.clock.Now().Sub(start) < 30*24*time.Hour-13*time.Hour {
				w.clock.Advance(12 * time.Hour)
				resp := w.refresh(client, r)
				r = resp.RefreshToken
				if end := w.clock.Now().Add(time.Duration(resp.ExpiresIn) * time.Second); end.After(start.Add(30 * 24 * time.Hour)) {
					t.Fatalf("%s: an access token outlives its session", client)
				}
			}
			w.clock.Advance(13 * time.Hour)
			if e := w.refusal(client, r); e.Reason != reasons.SessionExpired && e.Reason != reasons.Expired {
				t.Errorf("%s: refused for %q at the absolute end", client, e.Reason)
			}
		}
		for _, client := range []string{"strict", "confirmed"} {
			r := w.login(client).RefreshToken
			w.clock.Advance(14*24*time.Hour + time.Second)
			w.refused(client, r, reasons.SessionIdle)
		}
	})
}

func TestCase8ARefreshNeverWidensTheScope(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		r := w.loginWith("strict", func(req *token.Request) { req.Scope = []string{"read", "write"} }).RefreshToken
		narrow := w.refreshWith("strict", r, func(req *token.Request) { req.Scope = []string{"read"} })
		if narrow.Scope != "read" {
			t.Errorf("scope %q, want the narrower one", narrow.Scope)
		}
		full := w.refresh("strict", narrow.RefreshToken)
		if full.Scope != "read write" {
			t.Errorf("scope %q: a narrower access token has narrowed the session", full.Scope)
		}
		_, err := w.tryRefreshWith("strict", full.RefreshToken, func(req *token.Request) { req.Scope = []string{"read", "admin"} })
		if e := protocol.AsError(err); e.Code != "invalid_scope" {
			t.Fatalf("a wider scope: %v", err)
		}
		// The refusal came before the rotation: the session lives.
		w.refresh("strict", full.RefreshToken)
	})
}

func TestCase10RefreshesLeaveOneRowAndNoBloat(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	w := newWorld(t, openPostgres(t, postgres.Config{URL: url}))
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	measure := func() (rows, bytes int64) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), "VACUUM grants"); err != nil {
			t.Fatal(err)
		}
		err := conn.QueryRow(t.Context(), "SELECT count(*), (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree('grants')) FROM grants").Scan(&rows, &bytes)
		if err != nil {
			t.Fatal(err)
		}
		return rows, bytes
	}
	r := w.login("strict").RefreshToken
	for range 200 {
		r = w.refresh("strict", r).RefreshToken
	}
	_, before := measure()
	n := rounds(2000, 1_000_000)
	for i := range n {
		w.clock.Advance(time.Microsecond)
		r = w.refresh("strict", r).RefreshToken
		if i%50_000 == 49_999 {
			measure() // as autovacuum does in its time
		}
	}
	rows, after := measure()
	if rows != 1 {
		t.Errorf("%d rows after %d refreshes of one session, want one", rows, n)
	}
	if after > before+512<<10 { // each row that is never pruned adds a megabyte in all; a busy machine prunes some late
		t.Errorf("%d refreshes grew the table from %d to %d bytes", n, before, after)
	}
}

func TestCase12ASlowTabJoinsTheChain(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{clients.SimpleJWTID, "confirmed", "strict-overlap"} {
			r0 := w.login(client).RefreshToken
			r1 := w.refresh(client, r0).RefreshToken
			r2 := w.refresh(client, r1).RefreshToken // r0 is retired now under confirmed, and was before under strict
			w.clock.Advance(5 * time.Second)
			previous := r0
			if client == "strict-overlap" {
				previous = r1
			}
			if joined := w.refresh(client, previous).RefreshToken; joined != r2 {
				t.Errorf("%s: the slow tab got another token than the fast one", client)
			}
			w.refresh(client, r2)
			w.clock.Advance(11 * time.Second)
			w.refused(client, previous, reasons.Retired)
		}
	})
}

func TestATokenAheadOfTheDatabaseIsFastForwarded(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, client := range []string{"strict", "confirmed"} {
			for lost := 1; lost <= 3; lost++ {
				first := w.login(client)
				backup, err := store.Grant(t.Context(), first.GrantID)
				if err != nil {
					t.Fatal(err)
				}
				r := first.RefreshToken
				for range lost {
					w.clock.Advance(time.Minute)
					r = w.refresh(client, r).RefreshToken
				}
				restored := w.restore(backup.Grant)
				next := restored.refresh(client, r)
				restored.refresh(client, next.RefreshToken)
				if lost > 1 { // a single one can't be told from a successor under confirmed
					restored.audited("grant_fast_forwarded")
				}
			}
		}
	})
}

func TestAChangeOfPolicyLogsNobodyOut(t *testing.T) {
	policies := []clients.Rotation{clients.RotationStrict, clients.RotationConfirmed, clients.RotationOff}
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		for _, before := range policies {
			for _, after := range policies {
				w.setRotation("changing", before)
				r := w.login("changing").RefreshToken
				for range 2 {
					if next := w.refresh("changing", r).RefreshToken; next != "" {
						r = next
					}
				}
				w.clock.Advance(time.Minute)
				w.setRotation("changing", after)
				resp, err := w.tryRefresh("changing", r)
				if err != nil {
					t.Fatalf("%s, then %s: %v", before, after, err)
				}
				if resp.RefreshToken != "" {
					w.refresh("changing", resp.RefreshToken)
				}
			}
		}
	})
}

func TestReissueAcceptsEveryTokenOfALiveSession(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		w.setRotation("changing", clients.RotationReissue)
		var all []storage.Secret
		all = append(all, w.login("changing").RefreshToken)
		seen := map[storage.Secret]bool{all[0]: true}
		for range 20 {
			next := w.refresh("changing", all[rand.IntN(len(all))]).RefreshToken
			if seen[next] {
				t.Fatal("a token was issued twice")
			}
			seen[next] = true
			all = append(all, next)
			w.clock.Advance(time.Minute)
		}
		if err := w.svc.Revoke(t.Context(), &token.RevokeRequest{Client: w.credentials("changing"), Token: all[3]}); err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			w.refused("changing", r, reasons.SessionRevoked)
		}
	})
}

func TestOffIssuesNoRefreshToken(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		w.setRotation("changing", clients.RotationOff)
		r := w.login("changing").RefreshToken
		for range 5 {
			w.clock.Advance(13 * 24 * time.Hour / 3)
			if resp := w.refresh("changing", r); resp.RefreshToken != "" {
				t.Fatal("a refresh token was issued")
			}
		}
	})
}

func TestRejectLeavesTheFamilyAlive(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		r0 := w.login("reject").RefreshToken
		r1 := w.refresh("reject", r0).RefreshToken
		w.clock.Advance(time.Minute)
		w.refused("reject", r0, reasons.Retired)
		w.audited("refresh_token_reused")
		w.refresh("reject", r1)
	})
}

func TestATokenOfAnotherClientLeavesTheFamilyAlone(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		w := newWorld(t, store)
		r0 := w.login("strict").RefreshToken
		r1 := w.refresh("strict", r0).RefreshToken
		for _, r := range []storage.Secret{r0, r1} {
			w.refused("confirmed", r, reasons.OtherClient)
		}
		w.audited("refresh_token_of_other_client")
		w.refresh("strict", r1)
	})
}

// inParallel calls f n times at the same moment.
func (w *world) inParallel(n int, f func() (*token.Response, error)) ([]*token.Response, []error) {
	got, errs := make([]*token.Response, n), make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			got[i], errs[i] = f()
		})
	}
	close(start)
	wg.Wait()
	return got, errs
}
