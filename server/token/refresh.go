package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

// find reads the grant of the presented token and judges the token against it. The error is a refusal or an outage.
// A token that was used before is no error here but a place of reuse.
func (x *exchange) find(ctx context.Context) error {
	t := x.presented
	if t.client != tagOf(x.client.ID) {
		return x.foreign(ctx)
	}
	// The codec has judged a token in simplejwt's form already, with its leeway.
	if x.legacy == nil && !t.ExpiresAt.After(x.now) {
		return invalidGrant(ReasonExpired)
	}
	live, err := x.s.store.Grant(ctx, t.Grant)
	if errors.Is(err, storage.ErrNotFound) && x.legacy != nil && x.adoptable() {
		live, err = x.adopt(ctx)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return invalidGrant(ReasonUnknownGrant)
	}
	if err != nil {
		return fmt.Errorf("find the session: %w", err)
	}
	return x.judge(ctx, live)
}

// judge sets the grant and the place of the presented token in it, or says why the grant is dead.
func (x *exchange) judge(ctx context.Context, live *storage.LiveGrant) error {
	x.grant, x.user = &live.Grant, live.User
	request.From(ctx).Event.Add(slog.String("grant_id", live.ID.String()), slog.Int64("user_id", live.UserID))
	if live.ClientID != x.client.ID {
		return x.foreign(ctx)
	}
	if reason := ended(live, x.policy, x.now); reason != ReasonNone {
		return invalidGrant(reason)
	}
	x.at = locate(x.grant, x.presented, x.policy, x.now)
	return nil
}

// ended says why a grant is dead, or nothing. The user's and the client's state are those of the database at this
// moment, so ending all sessions of one of them is one write.
func ended(live *storage.LiveGrant, p *policy, now time.Time) Reason {
	switch {
	case live.User == nil:
		return ReasonUserRemoved
	case !live.User.Active:
		return ReasonUserInactive
	case live.User.AuthEpoch != live.UserEpoch:
		return ReasonUserSessions
	case !live.ClientExists || live.ClientDisabled:
		return ReasonClientDisabled
	case live.ClientAuthEpoch != live.ClientEpoch:
		return ReasonClientSessions
	case !live.RevokedAt.IsZero():
		return ReasonSessionRevoked
	case !live.ExpiresAt.After(now):
		return ReasonSessionExpired
	case p.idleSince(&live.Grant, now):
		return ReasonSessionIdle
	}
	return ReasonNone
}

// foreign refuses a token that was issued to another client. The family is left alone: whoever holds the token can't
// use it, and must not be able to log its owner out with it.
func (x *exchange) foreign(ctx context.Context) error {
	event := x.s.event(ctx, "refresh_token_of_other_client", "client", x.now)
	event.ClientID, event.GrantID, event.Outcome, event.Reason = x.client.ID, x.presented.Grant, "denied", string(ReasonOtherClient)
	if err := x.s.audit(ctx, event); err != nil {
		return err
	}
	return invalidGrant(ReasonOtherClient)
}

// reused carries out the verdict on a token that was used before. It must hold whatever becomes of the request.
func (x *exchange) reused(ctx context.Context) error {
	g, t := x.grant, x.presented
	event := x.s.event(ctx, "refresh_token_reused", "client", x.now)
	event.UserID, event.ClientID, event.GrantID = g.UserID, g.ClientID, g.ID
	event.Outcome, event.Reason = "denied", string(x.at.reason())
	event.Details, _ = json.Marshal(map[string]any{
		"verdict": x.policy.onReuse, "presented_generation": t.Generation, "current_generation": g.Generation,
		"presented_age_seconds": int64(x.now.Sub(t.IssuedAt).Seconds()),
		"current_age_seconds":   int64(x.now.Sub(g.WindowAt).Seconds()),
		"login_address":         g.Address,
	})
	if x.policy.onReuse == clients.OnReuseReject {
		return x.s.audit(ctx, event)
	}
	return x.s.revoke(ctx, g.ID, "refresh_token_reused", event)
}

// move carries out what presenting the token does to the chain, with one guarded write. A conflict means that someone
// else was faster: then the request is judged again against the new state. Nothing is decided by read-then-write.
func (x *exchange) move(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		st := x.s.plan(x.grant, x.presented, x.at, x.policy, x.now)
		window, err, event := x.now, error(nil), (*storage.AuditEvent)(nil)
		if st.advance != nil {
			event = x.fastForward(ctx)
			err = x.s.store.AdvanceGrant(ctx, *st.advance, event)
		} else {
			window, err = x.s.store.TouchGrant(ctx, x.grant.ID, x.grant.Current, st.window, x.now)
		}
		if err == nil {
			x.moved = true
			x.s.audited(event)
			x.s.metrics.Refreshes.WithLabelValues(string(x.policy.rotation), string(x.at)).Inc()
			if st.next != nil && x.client.Allows(GrantRefreshToken) {
				x.next = st.next(window)
			}
			return nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return fmt.Errorf("rotate: %w", err)
		}
		if attempt == maxAttempts {
			return fmt.Errorf("rotate: %w: %w", storage.ErrUnavailable, err)
		}
		if err := x.judgeAgain(ctx); err != nil {
			return err
		}
	}
}

// maxAttempts bounds how often a request is judged. Each conflict means that another request of the same session went
// ahead; the second judgement nearly always stands.
const maxAttempts = 4

func (x *exchange) judgeAgain(ctx context.Context) error {
	live, err := x.s.store.Grant(ctx, x.grant.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return invalidGrant(ReasonUnknownGrant)
	}
	if err != nil {
		return fmt.Errorf("find the session: %w", err)
	}
	if err := x.judge(ctx, live); err != nil {
		return err
	}
	if x.isReuse() {
		if err := x.reused(ctx); err != nil {
			return err
		}
		return x.refuseReuse()
	}
	return nil
}

func (x *exchange) isReuse() bool {
	return x.at.reuse() && x.policy.rotation != clients.RotationReissue
}

func (x *exchange) refuseReuse() error {
	x.s.metrics.Refreshes.WithLabelValues(string(x.policy.rotation), string(x.at)).Inc()
	refusal := invalidGrant(x.at.reason())
	refusal.SessionLives = x.policy.onReuse == clients.OnReuseReject
	return refusal
}

// fastForward is the audit event for a token that is ahead of the database, or nil.
func (x *exchange) fastForward(ctx context.Context) *storage.AuditEvent {
	if x.at != placeAhead {
		return nil
	}
	event := x.s.event(ctx, "grant_fast_forwarded", "server", x.now)
	event.UserID, event.ClientID, event.GrantID, event.Outcome = x.grant.UserID, x.grant.ClientID, x.grant.ID, "success"
	event.Details, _ = json.Marshal(map[string]any{
		"stored_generation": x.grant.Generation, "presented_generation": x.presented.Generation,
	})
	return event
}
