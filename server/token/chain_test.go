package token

import (
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/mac"
	"latchkey/server/internal/outage"
	"latchkey/storage"
)

// The verdict on a token follows from the row, the token, the policy and the moment alone.
func TestLocate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := chain{keys: testKeys(2, 1)}
	current, previous := storage.TokenID{1}, storage.TokenID{2}
	row := func(change func(*storage.Grant)) *storage.Grant {
		g := &storage.Grant{
			Current: current, Generation: 7, WindowAt: now.Add(-time.Hour), Previous: previous, PreviousRetiredAt: now.Add(-9 * time.Second),
			LastUsedAt: now.Add(-time.Hour), CurrentExpiresAt: now.Add(time.Hour), Sharing: storage.Sharing{Network: 5},
		}
		if change != nil {
			change(g)
		}
		return g
	}
	ended := func(g *storage.Grant) { g.CurrentExpiresAt = now }
	long := func(g *storage.Grant) { g.PreviousRetiredAt = now.Add(-11 * time.Second) }
	sealed := func(id storage.TokenID, parent storage.TokenID, generation int64) *RefreshToken {
		return &RefreshToken{ID: id, Parent: parent, Generation: generation, IssuedAt: now, Sealed: true, CurrentKey: true}
	}
	with := func(r *RefreshToken, change func(*RefreshToken)) *RefreshToken {
		change(r)
		return r
	}
	oldKey := func(r *RefreshToken) { r.CurrentKey = false }
	unsealed := func(r *RefreshToken) { r.Sealed, r.CurrentKey = false, false }
	inFlight := func(r *RefreshToken) { unsealed(r); r.InFlight = true }
	latest := func(key *mac.Key) storage.TokenID { return successorID(key, current, now.Add(-time.Hour)) }
	other := storage.TokenID{9}
	for _, test := range []struct {
		name string
		row  *storage.Grant
		t    *RefreshToken
		want Position
	}{
		{"the current token", row(nil), sealed(current, previous, 7), positionCurrent},
		{"without a seal", row(nil), with(sealed(current, previous, 7), unsealed), positionCurrent},
		{"a successor", row(nil), sealed(other, current, 8), positionSuccessor},
		{"without a seal", row(nil), with(sealed(other, current, 8), unsealed), positionSuccessor},
		{"of another generation", row(nil), sealed(other, current, 7), positionSuperseded},
		{"A4: once its parent has ended", row(ended), sealed(other, current, 8), positionSuperseded},
		{"A4: of the latest window", row(ended), sealed(latest(c.keys[0]), current, 8), positionSuccessor},
		{"A4: of the latest window, under the old secret", row(ended), sealed(latest(c.keys[1]), current, 8), positionSuccessor},
		{"A4: when nothing is known of the end", row(func(g *storage.Grant) { g.CurrentExpiresAt = time.Time{} }), sealed(other, current, 8), positionSuccessor},
		{"the predecessor", row(nil), sealed(previous, other, 6), positionPredecessor},
		{"after the overlap", row(long), sealed(previous, other, 6), positionRetired},
		{"A8: without a seal after the overlap", row(long), with(sealed(previous, other, 6), inFlight), positionUnsealed},
		{"a sibling", row(nil), sealed(other, previous, 7), positionSuperseded},
		{"an old one", row(nil), sealed(other, previous, 3), positionRetired},
		{"A8: in flight", row(nil), with(sealed(other, previous, 7), inFlight), positionInFlight},
		{"A8: in flight, from the successor", row(nil), with(sealed(other, other, 8), inFlight), positionInFlight},
		{"A8: in flight, from the predecessor", row(nil), with(sealed(other, other, 6), inFlight), positionInFlight},
		{"A8: in flight from what is long dead", row(nil), with(sealed(other, other, 5), inFlight), positionUnsealed},
		{"A8: of no plausible generation", row(nil), with(sealed(other, other, 1_000_000), inFlight), positionUnsealed},
		{"A8: without a seal, when nothing is in flight any more", row(nil), with(sealed(other, previous, 7), unsealed), positionUnsealed},
		{"ahead", row(nil), sealed(other, storage.TokenID{8}, 9), positionAhead},
		{"A9: as far ahead as is possible", row(nil), sealed(other, storage.TokenID{8}, 71), positionAhead},
		{"A9: farther", row(nil), sealed(other, storage.TokenID{8}, 72), positionSuperseded},
		{"A9: ahead, with an old secret", row(nil), with(sealed(other, storage.TokenID{8}, 9), oldKey), positionSuperseded},
		{"A9: ahead, issued before the last use", row(func(g *storage.Grant) { g.LastUsedAt = now.Add(2 * time.Minute) }), sealed(other, storage.TokenID{8}, 9), positionSuperseded},
	} {
		p := &Policy{Rotation: clients.RotationConfirmed, Overlap: 10 * time.Second}
		if got := c.locate(test.row, test.t, p, moment{now: now, network: 5}); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// A3. Each step is a presentation from a network; j joins with the predecessor, c confirms, p presents the current token.
func TestJoinsInARow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, steps string
		want        int64
	}{
		{"the owner alone", "c1 c1 c1", 0},
		{"a slow tab in the same network", "c1 j1 c1 j1 c1 j1", 0},
		{"unknown networks", "c1 j0 c0 j1 c1 j0", 0},
		{"a slow tab elsewhere", "c1 j2", 1},
		{"that asks twice", "c1 j2 j2 j2", 1},
		{"at two retirements", "c1 j2 c1 j2", 2},
		{"at three", "c1 j2 c1 j2 c1 j2", 3},
		{"not in a row", "c1 j2 c1 j2 c1 c1 j2", 1},
		{"a thief who confirms what he was given", "c1 j2 c2 p1 c1 j2 c2 p1 c1 j2", 3},
		{"a thief who waits for the owner to confirm it", "c1 j2 c1 p2 c1 j2 c1 p2 c1 j2", 3},
		{"one who changes networks, and a slow tab now and then", "c1 j2 c2 c1 c3 j1 c2 c1 c3 j1", 1},
		{"one whose network is another each time, in many places at once", "c1 p2 p3 c2 p3 p1 c3 p1", 0},
	} {
		var s storage.Sharing
		generation := int64(0)
		for step := range strings.FieldsSeq(test.steps) {
			network := int64(step[1] - '0')
			switch step[0] {
			case 'c':
				s = confirmed(s, network, generation)
				generation++
			case 'j':
				s = joined(s, network, generation)
			case 'p':
				s = presented(s, network)
			}
		}
		if s.Joins != test.want {
			t.Errorf("%s (%s): %d joins in a row, want %d", test.name, test.steps, s.Joins, test.want)
		}
	}
}

func TestF4OutagesDoNotCount(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return now.Add(time.Duration(seconds) * time.Second) }
	all := []outage.Outage{{From: at(-100), To: at(-90)}, {From: at(-20), To: at(-5)}}
	for _, test := range []struct {
		since, want int
	}{{-1, 1}, {-5, 5}, {-10, 5}, {-20, 5}, {-30, 15}, {-95, 75}, {-200, 175}} {
		m := moment{now: now, outages: all}
		if got := m.since(at(test.since)); got != time.Duration(test.want)*time.Second {
			t.Errorf("%d s ago counts as %v, want %d s", -test.since, got, test.want)
		}
	}
}
