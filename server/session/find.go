package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"latchkey/server/claims"
	"latchkey/server/factors"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

// Find returns the session of the request's browser with its user and, unless clientID is empty, the user's consent for that client.
// It returns nil if no user is signed in. It takes one round trip, another one for each older key if no session matches, and none
// for a request without a well-formed session cookie.
//
// After an error it is unknown whether a user is signed in; a caller must not treat it as signed out.
func (m *Manager) Find(r *http.Request, clientID string) (*storage.LiveBrowserSession, error) {
	ctx, value := r.Context(), presented(r)
	if value == "" {
		return nil, nil
	}
	for _, key := range m.cfg.Keys {
		s, err := m.cfg.Store.BrowserSession(ctx, hash(key, value), clientID)
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find browser session: %w", err)
		}
		now := m.Now()
		if !m.alive(s, now) {
			return nil, nil
		}
		m.seen(ctx, s, now)
		return s, nil
	}
	return nil, nil
}

// alive reports whether a session is valid: not expired, and its user active and not signed out everywhere since.
func (m *Manager) alive(s *storage.LiveBrowserSession, now time.Time) bool {
	return s.User != nil && s.User.Active && s.User.AuthEpoch == s.UserEpoch && m.lasts(&s.BrowserSession, now) &&
		(!m.cfg.NeedsSecondFactor || claims.MultiFactor(s.AMR) || slices.Contains(s.AMR, factors.MethodRemembered))
}

// ConfirmedFor is how long a login permits what only the user must do: OWASP ASVS 7.5.1.
const ConfirmedFor = 10 * time.Minute

// Confirmed reports whether the user of a session has proved who they are within the last ten minutes, with a second factor if they have
// one: a browser that is remembered is not enough.
func (m *Manager) Confirmed(s *storage.LiveBrowserSession) bool {
	return m.Now().Sub(s.AuthTime) <= ConfirmedFor && (!s.SecondFactor || !m.cfg.SecondFactors || claims.MultiFactor(s.AMR))
}

// lasts reports whether a session has reached neither its absolute nor its idle end.
func (m *Manager) lasts(s *storage.BrowserSession, now time.Time) bool {
	return now.Before(s.ExpiresAt) && (s.Remember || now.Before(s.LastSeenAt.Add(m.cfg.IdleTTL)))
}

// seen records that the session was seen. If that fails, the session's idle end comes a little early, which is no reason to refuse
// the request.
func (m *Manager) seen(ctx context.Context, s *storage.LiveBrowserSession, now time.Time) {
	if now.Sub(s.LastSeenAt) < seenEvery {
		return
	}
	if err := m.cfg.Store.TouchBrowserSession(ctx, s.Hash, now); err != nil {
		request.From(ctx).Event.Add(slog.String("touch_error", err.Error()))
		return
	}
	s.LastSeenAt = now
}

// List returns up to limit live sessions of a user, the newest sign-in first.
func (m *Manager) List(ctx context.Context, userID int64, limit int) ([]*storage.BrowserSession, error) {
	now := m.Now()
	list, err := m.cfg.Store.ListBrowserSessions(ctx, userID, now, limit)
	if err != nil {
		return nil, fmt.Errorf("list browser sessions: %w", err)
	}
	return slices.DeleteFunc(list, func(s *storage.BrowserSession) bool { return !m.lasts(s, now) }), nil
}
