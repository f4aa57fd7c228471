package token

import (
	"encoding/binary"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/mac"
	"latchkey/server/protocol"
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
	// positionAhead is that of a token newer than the database, which has lost acknowledged writes (fail-over to a lagging replica,
	// a restored backup).
	positionAhead Position = "ahead"
	// positionRetired is that of a token whose successor has been used. Presenting it is reuse: RFC 9700 §4.14.2.
	positionRetired Position = "retired"
	// positionSuperseded is that of a token whose sibling was used instead. Presenting it is reuse too.
	positionSuperseded Position = "superseded"
)

// Reuse reports whether the token was used before (RFC 9700 §4.14.2).
func (p Position) Reuse() bool { return p == positionRetired || p == positionSuperseded }

// Reason returns why a token at a position of reuse is refused.
func (p Position) Reason() protocol.Reason {
	if p == positionSuperseded {
		return protocol.ReasonSuperseded
	}
	return protocol.ReasonRetired
}

// Locate returns the position of an authentic token in the chain of a grant.
func Locate(g *storage.Grant, t *RefreshToken, p *Policy, now time.Time) Position {
	switch {
	case t.ID == g.Current:
		return positionCurrent
	case t.Parent == g.Current && t.Generation == g.Generation+1:
		return positionSuccessor
	case t.ID == g.Previous && p.Overlap > 0 && now.Sub(g.PreviousRetiredAt) <= p.Overlap:
		return positionPredecessor
	case t.Generation > g.Generation+1:
		return positionAhead
	case t.Generation >= g.Generation:
		return positionSuperseded
	default:
		return positionRetired
	}
}

// step is the change of the chain that a presentation makes: either the current token stays (touch), or another replaces it
// (advance). Then a successor is issued, or not.
type step struct {
	advance *storage.GrantAdvance // nil: touch
	// window is how long a touch keeps an open window.
	window time.Duration
	// next returns the token that is issued, from the time of the window; nil when none is.
	next func(window time.Time) *RefreshToken
}

// forever keeps any window that was ever opened.
const forever = 100 * 365 * 24 * time.Hour

// chain derives the successors of refresh tokens.
type chain struct{ key []byte }

// plan returns the step that the policy prescribes for a token t at a position that is not one of reuse. See docs/rotation.md for the
// table.
func (c chain) plan(g *storage.Grant, t *RefreshToken, at Position, p *Policy, now time.Time) step {
	follow := func(parent storage.TokenID, generation int64) func(time.Time) *RefreshToken {
		return func(window time.Time) *RefreshToken {
			return c.successor(g, p, successorID(c.key, parent, window), parent, generation+1, window)
		}
	}
	adopt := &storage.GrantAdvance{ID: g.ID, From: g.Current, To: t.ID, Generation: t.Generation, Now: now}

	switch p.Rotation {
	case clients.RotationReissue:
		st := step{window: coalesce, next: func(time.Time) *RefreshToken {
			return c.successor(g, p, NewTokenID(), t.ID, t.Generation+1, now)
		}}
		if t.Generation > g.Generation {
			st.advance = adopt
		}
		return st

	case clients.RotationStrict:
		if at == positionPredecessor {
			// The same successor again: it is the current token, written anew from the row.
			return step{window: forever, next: func(window time.Time) *RefreshToken {
				return c.successor(g, p, g.Current, t.ID, g.Generation, window)
			}}
		}
		next := successorID(c.key, t.ID, now)
		return step{
			advance: &storage.GrantAdvance{ID: g.ID, From: g.Current, To: next, Generation: t.Generation + 1, Retired: t.ID, Now: now},
			next:    follow(t.ID, t.Generation),
		}

	default: // confirmed and off move the chain alike; off issues nothing
		st := step{window: coalesce}
		switch at {
		case positionSuccessor, positionAhead:
			st.advance = adopt
			st.next = follow(t.ID, t.Generation)
		default: // current and predecessor
			st.next = follow(g.Current, g.Generation)
		}
		if p.Rotation == clients.RotationOff {
			st.next = nil
		}
		return st
	}
}

// successor returns the token that is issued. Its times follow from the window alone, so that the same successor is the same text.
func (c chain) successor(g *storage.Grant, p *Policy, id, parent storage.TokenID, generation int64, window time.Time) *RefreshToken {
	return &RefreshToken{
		Grant: g.ID, ID: id, Parent: parent, Generation: generation, Client: TagOf(g.ClientID),
		IssuedAt: window.Truncate(time.Second), ExpiresAt: p.refreshExpiry(g, window),
	}
}

// successorID derives the id of the token that follows the presented one: HMAC(key, presented id ‖ window). The same token presented
// again in the same window gets the same successor, and nothing is stored for that.
func successorID(key []byte, presented storage.TokenID, window time.Time) storage.TokenID {
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(window.UnixMicro()))
	sum := mac.Sum(key, presented[:], at[:])
	return storage.TokenID(sum[:16])
}
