package token

import (
	"time"

	"latchkey/clients"
	"latchkey/storage"
)

// place is where a presented refresh token stands in the chain of its grant.
type place string

const (
	// placeCurrent: it is the current token.
	placeCurrent place = "current"
	// placeSuccessor: it was handed out for the current one and is used for the first time.
	placeSuccessor place = "successor"
	// placePredecessor: it was replaced so recently that a slow tab may still present it.
	placePredecessor place = "predecessor"
	// placeAhead: the database has lost acknowledged writes (fail-over to a lagging replica, a restored backup).
	placeAhead place = "ahead"
	// placeRetired: its successor has been used. Presenting it is reuse: RFC 9700 §4.14.2.
	placeRetired place = "retired"
	// placeSuperseded: a sibling was used instead. Presenting it is reuse too.
	placeSuperseded place = "superseded"
)

func (p place) reuse() bool { return p == placeRetired || p == placeSuperseded }

func (p place) reason() Reason {
	if p == placeSuperseded {
		return ReasonSuperseded
	}
	return ReasonRetired
}

// locate finds the place of an authentic token t in the chain of g.
func locate(g *storage.Grant, t *refreshToken, p *policy, now time.Time) place {
	switch {
	case t.ID == g.Current:
		return placeCurrent
	case t.Parent == g.Current && t.Generation == g.Generation+1:
		return placeSuccessor
	case t.ID == g.Previous && p.overlap > 0 && now.Sub(g.PreviousRetiredAt) <= p.overlap:
		return placePredecessor
	case t.Generation > g.Generation+1:
		return placeAhead
	case t.Generation >= g.Generation:
		return placeSuperseded
	default:
		return placeRetired
	}
}

// step is what a presentation does to the chain: either the current token stays (touch), or another takes its place
// (advance). Then a successor is issued, or not.
type step struct {
	advance *storage.GrantAdvance // nil: touch
	// window is how long a touch keeps the window that is open.
	window time.Duration
	// next says which token is given out, once the time of the window is known; nil: none.
	next func(window time.Time) *refreshToken
}

// forever keeps any window that was ever opened.
const forever = 100 * 365 * 24 * time.Hour

// plan says what presenting t, which stands at the given place (not one of reuse), does under the policy.
// See docs/rotation.md for the table.
func (s *Service) plan(g *storage.Grant, t *refreshToken, at place, p *policy, now time.Time) step {
	follow := func(parent storage.TokenID, generation int64) func(time.Time) *refreshToken {
		return func(window time.Time) *refreshToken {
			return s.successor(g, p, successorID(s.chainKey, parent, window), parent, generation+1, window)
		}
	}
	adopt := &storage.GrantAdvance{ID: g.ID, From: g.Current, To: t.ID, Generation: t.Generation, Now: now}

	switch p.rotation {
	case clients.RotationReissue:
		st := step{window: coalesce, next: func(time.Time) *refreshToken {
			return s.successor(g, p, newTokenID(), t.ID, t.Generation+1, now)
		}}
		if t.Generation > g.Generation {
			st.advance = adopt
		}
		return st

	case clients.RotationStrict:
		if at == placePredecessor {
			// The same successor again: it is the current token, written anew from what the row keeps.
			return step{window: forever, next: func(window time.Time) *refreshToken {
				return s.successor(g, p, g.Current, t.ID, g.Generation, window)
			}}
		}
		next := successorID(s.chainKey, t.ID, now)
		return step{
			advance: &storage.GrantAdvance{ID: g.ID, From: g.Current, To: next, Generation: t.Generation + 1, Retired: t.ID, Now: now},
			next:    follow(t.ID, t.Generation),
		}

	default: // confirmed and off move the chain alike; off gives nothing out
		st := step{window: coalesce}
		switch at {
		case placeSuccessor, placeAhead:
			st.advance = adopt
			st.next = follow(t.ID, t.Generation)
		default: // current and predecessor
			st.next = follow(g.Current, g.Generation)
		}
		if p.rotation == clients.RotationOff {
			st.next = nil
		}
		return st
	}
}

// successor makes the token that is given out. Its times follow from the window alone, so that the same successor is
// the same text.
func (s *Service) successor(g *storage.Grant, p *policy, id, parent storage.TokenID, generation int64, window time.Time) *refreshToken {
	return &refreshToken{
		Grant: g.ID, ID: id, Parent: parent, Generation: generation, client: tagOf(g.ClientID),
		IssuedAt: window.Truncate(time.Second), ExpiresAt: p.refreshExpiry(g, window),
	}
}
