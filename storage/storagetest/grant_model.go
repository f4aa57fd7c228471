package storagetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"latchkey/storage"
	"latchkey/storage/testclock"
)

// followsModel does what comes to rapid's mind with one grant, and compares it with a chain that is a few lines of Go.
func followsModel(b *bundle) {
	round := 0
	rapid.Check(b.T, func(t *rapid.T) {
		round++
		m := &chain{b: b, name: fmt.Sprint("round ", round), now: kept(start)}
		testclock.Set(b.Store, func() time.Time { return m.now })
		m.begin(t)
		t.Repeat(map[string]func(*rapid.T){"touch": m.touch, "advance": m.advance, "wait": m.wait, "end": m.end, "": m.check})
	})
}

// chain is a grant as it should be.
type chain struct {
	b      *bundle
	name   string
	now    time.Time
	want   storage.LiveGrant
	tokens []storage.TokenID
}

func (m *chain) begin(t *rapid.T) {
	u := &storage.User{Username: m.name, Active: true, CreatedAt: m.now}
	c := newClient(m.name, m.now)
	m.must(t, m.b.CreateUser(m.b.ctx, u))
	m.must(t, m.b.CreateClient(m.b.ctx, c, nil))
	g := newGrant(storage.NewID(m.now), u, c, m.now)
	g.ExpiresAt = m.now.Add(2 * time.Minute)
	m.must(t, m.b.CreateGrant(m.b.ctx, g, nil))
	m.want = storage.LiveGrant{Grant: *g, User: u, ClientExists: true, ClientAuthEpoch: c.AuthEpoch}
	m.tokens = []storage.TokenID{g.Current}
}

func (m *chain) must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func (m *chain) alive() bool {
	g := &m.want
	return g.RevokedAt.IsZero() && m.now.Before(g.ExpiresAt) && g.User.Active && g.User.AuthEpoch == g.UserEpoch &&
		!g.ClientDisabled && g.ClientAuthEpoch == g.ClientEpoch
}

// decided fails unless a guarded act did what it should; it tells whether it should have happened.
func (m *chain) decided(t *rapid.T, from storage.TokenID, err error) bool {
	if !m.alive() || from != m.want.Current {
		if !errors.Is(err, storage.ErrConflict) {
			t.Fatalf("got %v, want a conflict", err)
		}
		return false
	}
	m.must(t, err)
	return true
}

// token draws the current token or an earlier one.
func (m *chain) token(t *rapid.T) storage.TokenID {
	return m.tokens[len(m.tokens)-1-rapid.IntRange(0, min(2, len(m.tokens)-1)).Draw(t, "generations back")]
}

func (m *chain) wait(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 15_000_000).Draw(t, "µs")) * time.Microsecond)
}

func (m *chain) touch(t *rapid.T) {
	const window = 10 * time.Second
	from := m.token(t)
	got, err := m.b.touch(m.want.ID, from, window)
	if !m.decided(t, from, err) {
		return
	}
	m.want.LastUsedAt = m.now
	if m.want.WindowAt.IsZero() || !m.now.Before(m.want.WindowAt.Add(window)) {
		m.want.WindowAt = m.now
		m.want.Windows++
	}
	if !got.Equal(m.want.WindowAt) {
		t.Fatalf("window %v, want %v", got, m.want.WindowAt)
	}
}

func (m *chain) advance(t *rapid.T) {
	a := storage.GrantMove{
		ID: m.want.ID, From: m.token(t), To: next(m.tokens[len(m.tokens)-1]),
		Generation: m.want.Generation + int64(rapid.IntRange(1, 3).Draw(t, "generations")),
	}
	retired := a.From
	if rapid.Bool().Draw(t, "names the retired token") {
		a.Retired = storage.TokenID{15: 1}
		retired = a.Retired
	}
	if !m.decided(t, a.From, m.b.advance(a, nil)) {
		return
	}
	g := &m.want.Grant
	g.Current, g.Generation, g.Previous = a.To, a.Generation, retired
	g.WindowAt, g.LastUsedAt, g.PreviousRetiredAt, g.Windows = m.now, m.now, m.now, 1
	m.tokens = append(m.tokens, a.To)
}

// end ends the grant in one of several ways, now and then.
func (m *chain) end(t *rapid.T) {
	ctx, g := m.b.ctx, &m.want
	raised := func(epoch int64) int64 { return max(epoch+1, m.now.UnixMicro()) }
	switch rapid.IntRange(0, 20).Draw(t, "way") {
	case 0:
		ended, err := m.b.RevokeGrant(ctx, g.ID, m.name, m.now, nil)
		m.must(t, err)
		if ended != g.RevokedAt.IsZero() {
			t.Fatalf("ended is %v", ended)
		}
		if ended {
			g.RevokedAt, g.RevokeReason = m.now, m.name
		}
	case 1:
		m.must(t, m.b.SetUserActive(ctx, g.UserID, false, m.now, nil))
		g.User.Active, g.User.AuthEpoch = false, raised(g.User.AuthEpoch)
	case 2:
		m.must(t, m.b.SetUserActive(ctx, g.UserID, true, m.now, nil))
		g.User.Active = true
	case 3:
		m.must(t, m.b.SetUserPassword(ctx, storage.PasswordChange{UserID: g.UserID, Hash: "hash", Now: m.now}, nil))
		m.want.User.PasswordHash = "hash"
		g.User.AuthEpoch = raised(g.User.AuthEpoch)
	case 4:
		m.must(t, m.b.RaiseClientEpoch(ctx, g.ClientID, m.now, nil))
		g.ClientAuthEpoch = raised(g.ClientAuthEpoch)
	}
}

func (m *chain) check(t *rapid.T) {
	got, err := m.b.Grant(m.b.ctx, m.want.ID)
	m.must(t, err)
	m.want.Now = m.now
	if diff := cmp.Diff(&m.want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
}
