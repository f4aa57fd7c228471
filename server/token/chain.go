package token

import (
	"encoding/binary"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/mac"
	"latchkey/server/internal/outage"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// Position is that of a presented refresh token in the chain of its grant.
type Position string

const (
	// positionCurrent is that of the current token.
	positionCurrent Position = "current"
	// positionSuccessor is that of a token issued for the current one, at its first use.
	positionSuccessor Position = "successor"
	// positionPredecessor is that of a token replaced so recently that a slow tab may still present it.
	positionPredecessor Position = "predecessor"
	// positionInFlight is that of a token that Django has written anew from one of the chain.
	positionInFlight Position = "in_flight"
	// positionAhead is that of a token newer than the database, which has lost acknowledged writes (fail-over to a lagging replica,
	// a restored backup).
	positionAhead Position = "ahead"
	// positionUnsealed is that of a token without our seal that is nowhere in the chain. It is refused, and proves nothing.
	positionUnsealed Position = "unsealed"
	// positionRetired is that of a token whose successor has been used. Presenting it is reuse: RFC 9700 §4.14.2.
	positionRetired Position = "retired"
	// positionSuperseded is that of a token whose sibling was used instead. Presenting it is reuse too.
	positionSuperseded Position = "superseded"
	// positionShared is that of a predecessor that joins from another network for the third time in a row. That is reuse too.
	positionShared Position = "shared"
)

// reuse reports whether the token was used before (RFC 9700 §4.14.2).
func (p Position) reuse() bool {
	return p == positionRetired || p == positionSuperseded || p == positionShared
}

// refused reports whether a token at the position is refused, whether that is reuse or not.
func (p Position) refused() bool { return p.reuse() || p == positionUnsealed }

// reason returns why a token at a position is refused; reasons.None if it is not.
func (p Position) reason() reasons.Reason {
	switch p {
	case positionRetired:
		return reasons.Retired
	case positionSuperseded:
		return reasons.Superseded
	case positionShared:
		return reasons.Shared
	case positionUnsealed:
		return reasons.Unsealed
	}
	return reasons.None
}

// moment is what a presentation is judged by, besides the token, the row and the policy. The verdict follows from these four alone.
type moment struct {
	// now is the time of the database.
	now time.Time
	// network is a keyed hash of the client's network; zero if it is not known.
	network int64
	// outages are the times during which this server could not write.
	outages []outage.Outage
}

// since returns how long ago t was, without the time during which this server could not answer.
func (m moment) since(t time.Time) time.Duration {
	return m.now.Sub(t) - outage.Taken(m.outages, t, m.now)
}

// maxAhead is how many generations a token may be ahead of the database.
const maxAhead = 64

// locate returns the position of an authentic token in the chain of a grant. Each case names the columns of the grant that it depends
// on, besides those of the cases above it.
func (c chain) locate(g *storage.Grant, t *RefreshToken, p *Policy, m moment) Position {
	switch {
	// current_id
	case t.ID == g.Current:
		return positionCurrent
	// current_id, generation; once current_expires_at has passed, also window_at
	case t.Parent == g.Current && t.Generation == g.Generation+1 && !c.hoarded(g, t, p, m):
		return positionSuccessor
	// previous_id, previous_retired_at, generation; from another network also network, joins, joined_generation
	case (t.ID == g.Previous || rewritten(g, t)) && p.Overlap > 0 && m.since(g.PreviousRetiredAt) <= p.Overlap:
		if joined(g.Sharing, m.network, g.Generation).Joins >= maxJoins {
			return positionShared
		}
		return positionPredecessor
	// generation, previous_id: what is known to be retired is not in flight
	case t.InFlight && t.ID != g.Previous && t.Generation >= g.Generation-1 && t.Generation <= g.Generation+1:
		return positionInFlight
	case !t.Sealed:
		return positionUnsealed
	// generation, last_used_at
	case c.ahead(g, t):
		return positionAhead
	// generation
	case t.Generation >= g.Generation:
		return positionSuperseded
	default:
		return positionRetired
	}
}

// rewritten reports whether a token may be the one that Django has written the current token from, which has its place in the chain and its
// parent. It is then a predecessor like that parent, which the holder of the token had before.
func rewritten(g *storage.Grant, t *RefreshToken) bool {
	return t.Rewritable && t.Sealed && t.Generation == g.Generation && t.Parent == g.Previous && g.Previous != (storage.TokenID{})
}

// ahead reports whether a token shows that the database has lost acknowledged writes. Only the current key makes such a token: a secret
// that leaked and was replaced must forge none. The minute is for a login whose server's clock was ahead of the database's.
func (c chain) ahead(g *storage.Grant, t *RefreshToken) bool {
	lead := t.Generation - g.Generation
	return t.CurrentKey && lead > 1 && lead <= maxAhead && !t.IssuedAt.Before(g.LastUsedAt.Add(-time.Minute))
}

// hoarded reports whether a successor was kept beyond the end of the current token while the owner went on with that one: after
// that end only the successor of the latest window is worth something.
func (c chain) hoarded(g *storage.Grant, t *RefreshToken, p *Policy, m moment) bool {
	if g.CurrentExpiresAt.IsZero() || g.CurrentExpiresAt.Add(p.Leeway).After(m.now) {
		return false
	}
	for _, key := range c.keys {
		if successorID(key, g.Current, g.WindowAt) == t.ID {
			return false
		}
	}
	return true
}

// step is the change of the chain that a presentation makes: either the current token stays, or another replaces it. Then a successor
// is issued, or not.
type step struct {
	move storage.GrantMove
	// next returns the token that is issued, from the grant after the move; nil when none is.
	next func(after *storage.Grant) *RefreshToken
}

// forever keeps any window that was ever opened.
const forever = 100 * 365 * 24 * time.Hour

// adopts is the number of windows within which a client that stores its new tokens has used one. From the window after them on,
// successors end with the token that is presented for them.
const adopts = 2

// chain derives the successors of refresh tokens. The first key derives; the others recognise what was derived before a change of the
// root secret.
type chain struct{ keys []*mac.Key }

// plan returns the step that the policy prescribes for a token t at a position that is not refused. See docs/rotation.md for the table.
//
// The guard of each step is current_id and the four columns of storage.Sharing. For a client that stays in its network they are
// (network, false, 0, 0), before and after.
func (c chain) plan(g *storage.Grant, t *RefreshToken, at Position, p *Policy, m moment) step {
	st := step{move: storage.GrantMove{ID: g.ID, From: g.Current, Was: g.Sharing, Sharing: g.Sharing, NotRevoked: t.JTI}}
	switch p.Rotation {
	case clients.RotationReissue:
		c.planReissue(&st, g, t, p)
	case clients.RotationStrict:
		c.planStrict(&st, g, t, at, p, m)
	default: // confirmed and off move the chain alike; off issues nothing
		c.planConfirmed(&st, g, t, at, p, m)
		if p.Rotation == clients.RotationOff {
			st.next = nil
		}
	}
	return st
}

// generation returns the position of an accepted token in the chain. Django copies that of the token that it writes anew, which may have
// been the predecessor.
func generation(g *storage.Grant, t *RefreshToken, at Position) int64 {
	switch at {
	case positionSuccessor, positionInFlight, positionAhead:
		return max(t.Generation, g.Generation)
	}
	return g.Generation
}

func (c chain) planConfirmed(st *step, g *storage.Grant, t *RefreshToken, at Position, p *Policy, m moment) {
	move := &st.move
	switch at {
	case positionSuccessor, positionAhead, positionInFlight:
		move.To, move.Generation, move.CurrentExpiresAt = t.ID, generation(g, t, at), t.ExpiresAt
		move.Sharing = confirmed(g.Sharing, m.network, g.Generation)
	case positionPredecessor:
		move.Sharing = joined(g.Sharing, m.network, g.Generation)
	default:
		move.CurrentExpiresAt = t.ExpiresAt
		move.Sharing = presented(g.Sharing, m.network)
	}
	// A window does not run while this server could not answer either.
	move.Window = coalesce + outage.Taken(m.outages, g.WindowAt, m.now)
	st.next = func(after *storage.Grant) *RefreshToken {
		id := successorID(c.keys[0], after.Current, after.WindowAt)
		next := c.successor(after, p, id, after.Current, after.Generation+1, after.WindowAt)
		if end := after.CurrentExpiresAt; after.Windows > adopts && !end.IsZero() && end.Before(next.ExpiresAt) {
			next.ExpiresAt = end
		}
		return next
	}
}

func (c chain) planStrict(st *step, g *storage.Grant, t *RefreshToken, at Position, p *Policy, m moment) {
	move := &st.move
	if at == positionPredecessor {
		// The same successor again: it is the current token, written anew from the row.
		move.Window, move.Sharing = forever, joined(g.Sharing, m.network, g.Generation)
	} else {
		move.To, move.Generation = successorID(c.keys[0], t.ID, m.now), generation(g, t, at)+1
		move.Retired, move.Sharing = t.ID, confirmed(g.Sharing, m.network, g.Generation)
	}
	st.next = func(after *storage.Grant) *RefreshToken {
		return c.successor(after, p, after.Current, t.ID, after.Generation, after.WindowAt)
	}
}

// planReissue keeps the generation near the highest that was presented, for the policy that comes after this one.
func (c chain) planReissue(st *step, g *storage.Grant, t *RefreshToken, p *Policy) {
	place := max(t.Generation, 0)
	if !t.Sealed {
		place = min(place, g.Generation+1)
	}
	if lead := place - g.Generation; lead > 0 && lead <= maxAhead {
		st.move.To, st.move.Generation = t.ID, place
	}
	st.move.Window = coalesce
	st.next = func(after *storage.Grant) *RefreshToken {
		return c.successor(after, p, NewTokenID(), t.ID, place+1, after.LastUsedAt)
	}
}

// successor returns the token that is issued. Its times follow from the window alone, so that the same successor is the same text.
func (c chain) successor(g *storage.Grant, p *Policy, id, parent storage.TokenID, generation int64, window time.Time) *RefreshToken {
	return &RefreshToken{
		Grant: g.ID, ID: id, Parent: parent, Generation: generation, Client: TagOf(g.ClientID), Sealed: true, CurrentKey: true,
		IssuedAt: window.Truncate(time.Second), ExpiresAt: p.refreshExpiry(g, window),
	}
}

// successorID derives the id of the token that follows the presented one: HMAC(key, presented id ‖ window). The same token presented
// again in the same window gets the same successor, and nothing is stored for that.
func successorID(key *mac.Key, presented storage.TokenID, window time.Time) storage.TokenID {
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(window.UnixMicro()))
	sum := key.Sum(presented[:], at[:])
	return storage.TokenID(sum[:16])
}
