package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"latchkey/clients"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// attempt tries the ordinary refresh in one round trip: the token is the current one, or the successor of the current one, and comes
// from the network that it came from before. All that the step depends on then follows from the token, or is a condition of the
// statement, which fails for everything else. It reports whether the chain was moved; if not, nothing has happened, and the session is
// read and judged.
func (g *refreshGrant) attempt(ctx context.Context) (moved bool, err error) {
	if !g.ordinary() {
		return false, nil
	}
	// After the move nothing may fail any more that a request could wait for.
	if err := g.prepareKeys(ctx); err != nil {
		return false, err
	}
	t := g.presented
	if g.asks() != nil {
		switch {
		case len(t.Subjects) > 0:
			if err := g.ask(ctx, t.Subjects[0]); err != nil {
				return false, err
			}
		case g.policy.Rotation == clients.RotationStrict: // a client that gets no answer could not ask again
			return false, nil
		}
	}
	m := moment{now: g.now, network: g.network(ctx, t.Grant)}
	a := storage.GrantAttempt{
		ID: t.Grant, ClientID: g.client.ID, Network: m.network, NotRevoked: t.JTI, Profile: g.needsProfile(g.client, g.policy),
		Subjects: t.Subjects, Repeatable: g.policy.Rotation != clients.RotationStrict,
	}
	if !g.policy.PerToken {
		a.Idle = g.policy.Idle
	}
	steps := make([]step, 0, 2)
	a.Moves = make([]storage.AttemptedMove, 0, 2)
	row := storage.Grant{ID: t.Grant, ClientID: g.client.ID, Sharing: storage.Sharing{Network: m.network}}
	assume := func(at Position, current storage.TokenID, generation int64) {
		row.Current, row.Generation = current, generation
		st := g.chain.plan(&row, t, at, g.policy, m)
		move := storage.AttemptedMove{GrantMove: st.move}
		if move.To != (storage.TokenID{}) {
			move.FromGeneration = &generation
		}
		steps, a.Moves = append(steps, st), append(a.Moves, move)
	}
	assume(positionCurrent, t.ID, t.Generation)
	if g.policy.Rotation != clients.RotationStrict && t.Generation > 0 {
		assume(positionSuccessor, t.Parent, t.Generation-1)
	}

	live, which, err := g.store.AttemptGrant(ctx, a)
	if errors.Is(err, storage.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("rotate: %w", err)
	}
	request.From(ctx).Event.Add(slog.String("grant_id", live.ID.String()), slog.Int64("user_id", live.UserID))
	if t.OfUser != nil && !t.OfUser(live.User) {
		return false, protocol.InvalidGrant(reasons.OtherUser)
	}
	m.now = live.Now
	g.grant, g.user, g.moment = &live.Grant, live.User, m
	g.at = []Position{positionCurrent, positionSuccessor}[which]
	g.moved(steps[which], live)
	return true, nil
}

// ordinary reports whether the request may be answered by an attempt: a token of this server, not near its end by the clock of any
// server, without a proof of possession (a session with a key is none that the statement moves), of a policy that replaces tokens one by one, with what was granted, for a client whose users need not be looked at (require_groups), and at a time when nothing was unavailable.
func (g *refreshGrant) ordinary() bool {
	t := g.presented
	switch g.policy.Rotation {
	case clients.RotationConfirmed, clients.RotationStrict, clients.RotationOff:
	default:
		return false
	}
	return g.proof == nil && len(g.client.RequireGroups) == 0 && t.Sealed && t.Client == TagOf(g.client.ID) && len(g.req.Scope) == 0 && len(g.req.Resource) == 0 &&
		t.ExpiresAt.Add(g.policy.Leeway).After(g.now.Add(maxClockSkew)) && g.outages.Calm(coalesce)
}
