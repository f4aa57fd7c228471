package grants

import (
	"time"

	wire "latchkey/admin"
	"latchkey/server/claims"
	"latchkey/storage"
)

// The states of sessions that are not endings.
const (
	StateLive = "live"
	// StateIdle is that of a session that has ended because it was not refreshed. The database does not know it.
	StateIdle = "idle"
)

// Describe returns what operators see of a session that ends after idle without a refresh.
func Describe(g *storage.LiveGrant, idle time.Duration, now time.Time) wire.Session {
	s := wire.Session{
		ID: g.ID.String(), ClientID: g.ClientID, UserID: g.UserID,
		Scope: append([]string{}, g.Scope...), Audience: append([]string{}, g.Audience...), // [] for none, not null
		AuthTime: g.AuthTime.UTC(), ACR: claims.ReportedACR(g.AMR, g.Claims), AMR: append([]string{}, g.AMR...),
		CreatedAt: g.CreatedAt, LastUsedAt: g.LastUsedAt, ExpiresAt: g.ExpiresAt,
		Generation: g.Generation, Address: g.Address, UserAgent: g.UserAgent, RevokeReason: g.RevokeReason,
	}
	if s.LastUsedAt.IsZero() {
		s.LastUsedAt = s.CreatedAt
	}
	s.IdleExpiresAt = s.LastUsedAt.Add(idle)
	if g.ExpiresAt.Before(s.IdleExpiresAt) {
		s.IdleExpiresAt = g.ExpiresAt
	}
	s.State = state(g, s.IdleExpiresAt, now)
	if g.User != nil {
		s.Subject, s.Username = g.User.Sub(), g.User.Username
	}
	if !g.RevokedAt.IsZero() {
		s.RevokedAt = &g.RevokedAt
	}
	return s
}

// state returns whether the session is live, or why it is not.
func state(g *storage.LiveGrant, idleEnd, now time.Time) string {
	switch {
	case !g.RevokedAt.IsZero():
		return "revoked"
	case !now.Before(g.ExpiresAt):
		return "expired"
	case g.User == nil:
		return "user removed"
	case !g.User.Active:
		return "user disabled"
	case g.User.AuthEpoch != g.UserEpoch:
		return "ended for the user"
	case !g.ClientExists:
		return "client removed"
	case g.ClientDisabled:
		return "client disabled"
	case g.ClientAuthEpoch != g.ClientEpoch:
		return "ended for the client"
	case now.After(idleEnd):
		return StateIdle
	}
	return StateLive
}
