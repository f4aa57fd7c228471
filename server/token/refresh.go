package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/internal/request"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// refreshGrant is the refresh token grant (RFC 6749 §6); docs/rotation.md is its specification.
type refreshGrant struct {
	*exchange
	// moment is when the token was judged, at its position then.
	moment moment
	at     Position
	// done is set when the chain was moved.
	done bool
}

// load reads the token and the session that it belongs to, and judges both. A token that was used before is refused here.
func (g *refreshGrant) load(ctx context.Context) error {
	if g.req.RefreshToken == "" {
		return protocol.InvalidRequest("The parameter refresh_token is missing.")
	}
	t, err := g.format.ReadRefresh(ctx, g.req.RefreshToken, g.now)
	if err != nil {
		return err
	}
	g.presented = t
	if moved, err := g.attempt(ctx); moved || err != nil {
		return err
	}
	live, err := g.findSession(ctx, g.client, g.policy, t, g.now)
	if err != nil {
		return err
	}
	if !g.hasKey(live.DPoPKey) {
		return g.otherKey(ctx, live)
	}
	return g.judge(ctx, live)
}

// findSession returns the session of a refresh token that was issued to the client and has not expired. A token of another issuer
// makes its session at its first use.
func (s *Service) findSession(ctx context.Context, c *clients.Client, p *Policy, t *RefreshToken, now time.Time) (*storage.LiveGrant, error) {
	if t.Client != TagOf(c.ID) {
		return nil, s.otherClient(ctx, c, t.Grant, now)
	}
	expired := func(now time.Time) bool { return !t.ExpiresAt.Add(p.Leeway).After(now) }
	if expired(now.Add(-maxClockSkew)) { // the database, whose clock decides, need not be asked
		return nil, protocol.InvalidGrant(reasons.Expired)
	}
	live, err := s.sessionReader(c, p)(ctx, t.Grant)
	if errors.Is(err, storage.ErrNotFound) && t.Adopt != nil {
		live, err = t.Adopt(ctx, c, p, now)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return nil, protocol.InvalidGrant(reasons.UnknownGrant)
	}
	if err != nil {
		return nil, fmt.Errorf("find the session: %w", err)
	}
	request.From(ctx).Event.Add(slog.String("grant_id", live.ID.String()), slog.Int64("user_id", live.UserID))
	switch {
	case live.ClientID != c.ID:
		return nil, s.otherClient(ctx, c, t.Grant, now)
	case t.OfUser != nil && live.User != nil && !t.OfUser(live.User):
		return nil, protocol.InvalidGrant(reasons.OtherUser)
	case expired(live.Now):
		return nil, protocol.InvalidGrant(reasons.Expired)
	}
	return live, nil
}

// maxClockSkew is how far the clocks of servers may differ from that of the database.
const maxClockSkew = time.Minute

// sessionReader returns what reads a client's sessions.
func (s *Service) sessionReader(c *clients.Client, p *Policy) readGrant {
	if s.needsProfile(c, p) {
		return s.store.GrantWithProfile
	}
	return s.store.Grant
}

// needsProfile reports whether a token that a refresh of the client brings may have something of the user's profile.
func (s *Service) needsProfile(c *clients.Client, p *Policy) bool {
	mayHaveIDToken := c.TokenFormat() == "" && c.IDTokenAtRefresh() && (len(c.Scopes()) == 0 || slices.Contains(c.Scopes(), claims.ScopeOpenID))
	in := claims.AccessToken
	switch p.AccessFormat {
	case clients.FormatOpaque:
		in = 0
	case clients.FormatSimpleJWT:
		in = claims.SimpleJWT
	}
	return mayHaveIDToken || len(s.claims.In(in)) > 0 || len(c.RequireGroups) > 0
}

// otherClient refuses a token that was issued to another client. The family is left alone: who holds the token can't use it, and
// must not be able to log its owner out with it.
func (s *Service) otherClient(ctx context.Context, c *clients.Client, grant storage.ID, now time.Time) error {
	event := s.audit.Event(ctx, "refresh_token_of_other_client", "client")
	event.ClientID, event.GrantID, event.Outcome, event.Reason = c.ID, grant, "denied", string(reasons.OtherClient)
	if err := s.audit.Append(ctx, s.audit.Limited(ctx, event)); err != nil {
		return err
	}
	return protocol.InvalidGrant(reasons.OtherClient)
}

// Dead returns why a token of a live session is refused, or reasons.None. It changes nothing, and the caller is not taken for a user of
// the token.
func (s *Service) Dead(live *storage.LiveGrant, t *RefreshToken, p *Policy) reasons.Reason {
	at := s.chain.locate(&live.Grant, t, p, moment{now: live.Now, outages: s.outages.At(live.Now)})
	if at.reuse() && p.Rotation == clients.RotationReissue {
		return reasons.None
	}
	return at.reason()
}

// judge refuses a dead session, and a token that was used before: then the verdict of the policy is carried out.
func (g *refreshGrant) judge(ctx context.Context, live *storage.LiveGrant) error {
	g.grant, g.user = &live.Grant, live.User
	if reason := ended(live, g.policy); reason != reasons.None {
		if err := g.settle(ctx, live); err != nil {
			return err // the client asks again, and meets the same verdict
		}
		return protocol.InvalidGrant(reason)
	}
	g.moment = moment{now: live.Now, network: g.network(ctx, live.ID), outages: g.outages.At(live.Now)}
	g.at = g.chain.locate(g.grant, g.presented, g.policy, g.moment)
	if !g.at.refused() || g.at.reuse() && g.policy.Rotation == clients.RotationReissue {
		return nil
	}
	// A token without a seal proves nothing about who has used it: its session lives.
	rejected := g.policy.OnReuse == clients.OnReuseReject || !g.presented.Sealed
	if g.at.reuse() {
		if err := g.reused(ctx, rejected); err != nil {
			return err // an outage: the client may try again, and meets the same verdict
		}
	}
	g.count()
	refusal := protocol.InvalidGrant(g.at.reason())
	refusal.SessionLives = rejected
	return refusal
}

// settle ends a session for good whose user was changed in another database: what was refused there must not come back to life when the
// change is taken back. Changes that are made here end sessions themselves.
func (g *refreshGrant) settle(ctx context.Context, live *storage.LiveGrant) error {
	reason := endedFor(live.User, live.UserEpoch)
	if !g.accountsElsewhere || reason == reasons.None || !live.RevokedAt.IsZero() {
		return nil
	}
	event := g.event(ctx, "account_changed", "server", "success")
	event.Reason = string(reason)
	return g.revoke(ctx, live.ID, string(reason), event)
}

// reused carries out the verdict on a token that was used before (RFC 9700 §4.14.2).
func (g *refreshGrant) reused(ctx context.Context, rejected bool) error {
	event := g.event(ctx, "refresh_token_reused", "client", "denied")
	event.Reason = string(g.at.reason())
	verdict := clients.OnReuseRevoke
	if rejected {
		verdict = clients.OnReuseReject
	}
	event.Details, _ = json.Marshal(map[string]any{
		"verdict": verdict, "presented_generation": g.presented.Generation, "current_generation": g.grant.Generation,
		"presented_age_seconds": int64(g.moment.now.Sub(g.presented.IssuedAt).Seconds()),
		"current_age_seconds":   int64(g.moment.now.Sub(g.grant.WindowAt).Seconds()),
		"login_address":         g.grant.Address,
	})
	if rejected {
		return g.audit.Append(ctx, g.audit.Limited(ctx, event)) // the session lives, and so can this happen again and again
	}
	return g.revoke(ctx, g.grant.ID, "refresh_token_reused", event)
}

func (g *refreshGrant) check(ctx context.Context) (err error) {
	granted := stillAllowed(g.client, g.grant.Scope)
	if err := g.rules.refresh(g.client, g.grant.ClientID, granted); err != nil {
		return err
	}
	if g.scope, err = narrowScope(granted, g.req.Scope); err != nil {
		return err
	}
	if g.audience = g.grant.Audience; len(g.req.Resource) > 0 {
		g.audience, err = g.beginAudience(ctx, g.grant.Audience, g.grant.Offered)
	}
	return err
}

// maxAttempts bounds how often a request is judged. Each conflict means that another request of the same session went ahead; the
// second judgement nearly always holds.
const maxAttempts = 4

// move changes the chain by one guarded write. A conflict means that another request was faster: then this one is judged again, on the
// new state. Nothing is decided by read-then-write.
func (g *refreshGrant) move(ctx context.Context) error {
	if g.done {
		return nil
	}
	for range maxAttempts {
		err := g.advance(ctx)
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
		if err := g.notRevoked(ctx); err != nil {
			return err
		}
		live, err := g.sessionReader(g.client, g.policy)(ctx, g.grant.ID)
		if errors.Is(err, storage.ErrNotFound) {
			return protocol.InvalidGrant(reasons.UnknownGrant)
		}
		if err != nil {
			return fmt.Errorf("find the session: %w", err)
		}
		if err := g.judge(ctx, live); err != nil {
			return err
		}
	}
	return fmt.Errorf("rotate: %w: %w", storage.ErrUnavailable, storage.ErrConflict)
}

// notRevoked refuses a token that was ended by itself, as Django does: its session lives.
func (g *refreshGrant) notRevoked(ctx context.Context) error {
	if g.presented.JTI == "" {
		return nil
	}
	state, err := g.store.TokenState(ctx, g.presented.JTI, g.client.ID)
	if err != nil {
		return fmt.Errorf("find out whether the token was revoked: %w", err)
	}
	if !state.Revoked {
		return nil
	}
	refusal := protocol.InvalidGrant(reasons.Retired)
	refusal.SessionLives = true
	return refusal
}

func (g *refreshGrant) advance(ctx context.Context) error {
	step := g.chain.plan(g.grant, g.presented, g.at, g.policy, g.moment)
	event := g.eventOf(ctx, step.move)
	after, err := g.store.MoveGrant(ctx, step.move, event)
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	if event != nil {
		g.audit.Written(event)
	}
	g.moved(step, after)
	return nil
}

// moved notes that a step was made, and what the session is after it.
func (g *refreshGrant) moved(step step, after *storage.LiveGrant) {
	g.done = true
	g.count()
	if step.next != nil && g.client.Allows(clients.GrantRefreshToken) {
		g.next = step.next(&after.Grant)
	}
}

// eventOf returns the audit event of a step that is out of the ordinary, or nil: a token that is ahead of the database, or a predecessor
// that is joined from another network, once for each retirement.
func (g *refreshGrant) eventOf(ctx context.Context, move storage.GrantMove) *storage.AuditEvent {
	var event *storage.AuditEvent
	switch {
	case g.at == positionAhead:
		event = g.event(ctx, "grant_fast_forwarded", "server", "success")
		event.Details, _ = json.Marshal(map[string]any{
			"stored_generation": g.grant.Generation, "presented_generation": g.presented.Generation,
		})
	case move.Sharing.Joins > g.grant.Sharing.Joins || move.Sharing.JoinedGeneration != g.grant.Sharing.JoinedGeneration && move.Sharing.Joins > 0:
		event = g.event(ctx, "refresh_token_shared", "client", "success")
		event.Details, _ = json.Marshal(map[string]any{
			"in_a_row": move.Sharing.Joins, "generation": g.grant.Generation, "login_address": g.grant.Address,
		})
	}
	return event
}

// event returns an audit event about the session.
func (g *refreshGrant) event(ctx context.Context, action, actor, outcome string) *storage.AuditEvent {
	event := g.audit.Event(ctx, action, actor)
	event.UserID, event.ClientID, event.GrantID, event.Outcome = g.grant.UserID, g.grant.ClientID, g.grant.ID, outcome
	return event
}

func (g *refreshGrant) count() {
	g.metrics.Refreshes.WithLabelValues(string(g.policy.Rotation), string(g.at)).Inc()
}
