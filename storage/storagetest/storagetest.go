// Package storagetest proves that a database keeps the promises of package storage.
package storagetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"latchkey/storage"
	"latchkey/storage/testclock"
)

// Opener opens databases.
type Opener interface {
	// Open gives an empty, migrated store, which is closed when the test ends. Closing it twice must do no harm.
	Open(t testing.TB) storage.Store
	// OpenAgain opens the database of a store that Open gave once more, as another process would.
	OpenAgain(t testing.TB, s storage.Store) storage.Store
}

// cases are tests by the rule they protect.
type cases map[string]func(b *bundle)

// Run runs every case, each on a store of its own.
func Run(t *testing.T, o Opener) {
	for _, group := range []struct {
		name  string
		cases cases
	}{
		{"Users", users()},
		{"UserProfiles", userProfiles()},
		{"UserEntries", userEntries()},
		{"Absences", absences()},
		{"UserSearch", userSearch()},
		{"Provisioning", provisioning()},
		{"ProvisionedUsers", provisionedUsers()},
		{"Logins", logins()},
		{"Clients", clients()},
		{"Grants", grants()},
		{"GrantsEnd", grantsEnd()},
		{"GrantsRace", grantsRace()},
		{"GrantAttempts", grantAttempts()},
		{"GrantLists", grantLists()},
		{"GrantChain", cases{
			"a chain goes the way of the model":                                                 followsModel,
			"concurrent acts on one grant are linearizable":                                     linearizable,
			"acts on one grant by several servers are linearizable, whatever connections break": linearizableApart,
		}},
		{"Imports", imports()},
		{"Throttles", throttles()},
		{"RevokedTokens", revokedTokens()},
		{"IssuedTokens", issuedTokens()},
		{"SigningKeys", signingKeys()},
		{"Resources", resources()},
		{"AuditEvents", auditEvents()},
		{"BrowserSessions", browserSessions()},
		{"AuthorizationCodes", authorizationCodes()},
		{"DeviceCodes", deviceCodes()},
		{"Consents", consents()},
		{"PushedRequests", pushedRequests()},
		{"UsedJTIs", usedJTIs()},
		{"LogoutNotices", logoutNotices()},
		{"RegistrationTokens", registrationTokens()},
		{"ClientRegistrations", clientRegistrations()},
		{"IdempotencyKeys", idempotencyKeys()},
		{"Outbox", outbox()},
		{"UndeliveredLetters", undeliveredLetters()},
		{"Webhooks", webhooks()},
		{"Factors", factors()},
		{"Replicas", replicas()},
		{"EventCounts", eventCounts()},
		{"AccountTokens", accountTokens()},
		{"Watch", watch()},
		{"Maintain", maintain()},
		{"Text", texts()},
		{"Unavailable", unavailable()},
	} {
		t.Run(group.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range slices.Sorted(maps.Keys(group.cases)) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					group.cases[name](setup(t, o))
				})
			}
		})
	}
}

// start is the time at which a case begins; its nanoseconds are more than a database keeps.
var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// bundle is what a case works with.
type bundle struct {
	*testing.T
	storage.Store
	opener Opener
	ctx    context.Context
	now    time.Time
	drawn  int
	// digests counts what digest has drawn.
	digests atomic.Int64
}

func setup(t *testing.T, o Opener) *bundle {
	t.Helper()
	b := &bundle{T: t, Store: o.Open(t), opener: o, ctx: t.Context(), now: start}
	testclock.Set(b.Store, func() time.Time { return b.now })
	return b
}

// ok stops the case at an error.
func (b *bundle) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// is stops the case unless err is the sentinel.
func (b *bundle) is(err, sentinel error) {
	b.Helper()
	if !errors.Is(err, sentinel) {
		b.Fatalf("got error %v, want %v", err, sentinel)
	}
}

// same stops the case unless both are equal; JSON is compared by what it says.
func (b *bundle) same(got, want any) {
	b.Helper()
	isJSON := func(p cmp.Path) bool { return p.Last().Type() == reflect.TypeFor[json.RawMessage]() }
	notJSON := func(p cmp.Path) bool { return !isJSON(p) }
	options := []cmp.Option{cmp.FilterPath(isJSON, cmp.Comparer(sameJSON)), cmp.FilterPath(notJSON, cmpopts.EquateEmpty())}
	if diff := cmp.Diff(want, got, options...); diff != "" {
		b.Fatalf("-want +got\n%s", diff)
	}
}

// sameJSON compares by meaning; Postgres keeps documents in a form of its own.
func sameJSON(x, y json.RawMessage) bool {
	if len(x) == 0 || len(y) == 0 {
		return len(x) == len(y)
	}
	var vx, vy any
	return json.Unmarshal(x, &vx) == nil && json.Unmarshal(y, &vy) == nil && reflect.DeepEqual(vx, vy)
}

// digest draws a digest that no other call gives, in any goroutine.
func (b *bundle) digest() storage.Digest {
	n := b.digests.Add(1)
	return storage.Digest{byte(n), byte(n >> 8), 31: 0xff}
}

// user makes a user.
func (b *bundle) user(name string) *storage.User {
	b.Helper()
	u := &storage.User{Username: name, PasswordHash: "old hash", Active: true, CreatedAt: b.now}
	b.ok(b.CreateUser(b.ctx, u))
	return u
}

// client makes a client.
func (b *bundle) client(id string) *storage.Client {
	b.Helper()
	c := newClient(id, b.now)
	b.ok(b.CreateClient(b.ctx, c, nil))
	return c
}

func newClient(id string, now time.Time) *storage.Client {
	return &storage.Client{ID: id, Metadata: json.RawMessage(`{}`), CreatedAt: now, UpdatedAt: now}
}

// session makes a user, a client and a grant of theirs that lives for an hour.
func (b *bundle) session() *storage.Grant {
	b.Helper()
	b.drawn++
	name := fmt.Sprintf("party-%d", b.drawn)
	return b.grant(b.user(name), b.client(name))
}

// grant makes a grant that lives for an hour.
func (b *bundle) grant(u *storage.User, c *storage.Client) *storage.Grant {
	b.Helper()
	g := newGrant(storage.NewID(b.now), u, c, b.now)
	b.ok(b.CreateGrant(b.ctx, g, nil))
	return g
}

func newGrant(id storage.ID, u *storage.User, c *storage.Client, now time.Time) *storage.Grant {
	return &storage.Grant{
		ID: id, UserID: u.ID, UserEpoch: u.AuthEpoch, ClientID: c.ID, ClientEpoch: c.AuthEpoch,
		AuthTime: now, CreatedAt: now, ExpiresAt: now.Add(time.Hour), Current: tokenOf(id), LastUsedAt: now,
	}
}

// tokenOf is the first token of a grant.
func tokenOf(id storage.ID) storage.TokenID { return storage.TokenID(id) }

// next is the token after another.
func next(t storage.TokenID) storage.TokenID {
	for i := len(t) - 1; i >= 0; i-- {
		if t[i]++; t[i] != 0 {
			break
		}
	}
	return t
}

// event makes an audit event.
func (b *bundle) event(action string) *storage.AuditEvent {
	return &storage.AuditEvent{ID: storage.NewID(b.now), At: b.now, Action: action, Actor: "operator", Outcome: "success"}
}

// audited stops the case unless there are n events of an action.
func (b *bundle) audited(action string, n int) {
	b.Helper()
	list, err := b.ListAudit(b.ctx, storage.AuditFilter{Action: action})
	b.ok(err)
	if len(list) != n {
		b.Fatalf("%d audit events %q, want %d", len(list), action, n)
	}
}

// live reads a grant.
func (b *bundle) live(id storage.ID) *storage.LiveGrant {
	b.Helper()
	g, err := b.Grant(b.ctx, id)
	b.ok(err)
	return g
}

// touch presents the current token, which stays, and returns the window.
func (b *bundle) touch(id storage.ID, current storage.TokenID, window time.Duration) (time.Time, error) {
	moved, err := b.MoveGrant(b.ctx, storage.GrantMove{ID: id, From: current, Window: window}, nil)
	if err != nil {
		return time.Time{}, err
	}
	return moved.WindowAt, nil
}

// touchAt is touch when the clock of the database shows another time.
func (b *bundle) touchAt(now time.Time, id storage.ID, current storage.TokenID, window time.Duration) (time.Time, error) {
	defer func(before time.Time) { b.now = before }(b.now)
	b.now = now
	return b.touch(id, current, window)
}

// advance replaces the current token.
func (b *bundle) advance(m storage.GrantMove, audit *storage.AuditEvent) error {
	_, err := b.MoveGrant(b.ctx, m, audit)
	return err
}

// kept is a time as a database keeps it.
func kept(t time.Time) time.Time { return t.Truncate(time.Microsecond) }

// atOnce calls f n times, all at the same moment, and gives the errors.
func atOnce(n int, f func(i int) error) []error {
	errs := make([]error, n)
	gate := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}
	close(gate)
	wg.Wait()
	return errs
}

// shared claims the same rows in eight goroutines at once, and stops the case unless each of want was claimed exactly once.
func (b *bundle) shared(want []storage.ID, claim func() ([]storage.ID, error)) {
	b.Helper()
	shares := make([][]storage.ID, 8)
	for _, err := range atOnce(len(shares), func(i int) error {
		for range 20 {
			ids, err := claim()
			if err != nil {
				return err
			}
			shares[i] = append(shares[i], ids...)
		}
		return nil
	}) {
		b.ok(err)
	}
	got := slices.Concat(shares...)
	less := func(x, y storage.ID) int { return slices.Compare(x[:], y[:]) }
	slices.SortFunc(got, less)
	slices.SortFunc(want, less)
	b.same(got, want)
}

// idsOf returns the ids of rows.
func idsOf[T any](rows []T, id func(T) storage.ID) (ids []storage.ID) {
	for _, r := range rows {
		ids = append(ids, id(r))
	}
	return ids
}

// oneWins stops the case unless exactly one error is nil and the others are the sentinel. It tells which one it was.
func (b *bundle) oneWins(errs []error, sentinel error) int {
	b.Helper()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			b.Fatalf("%d and %d both succeeded", winner, i)
		default:
			b.is(err, sentinel)
		}
	}
	if winner < 0 {
		b.Fatal("nobody succeeded")
	}
	return winner
}
