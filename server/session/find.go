package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"latchkey/server/internal/request"
	"latchkey/storage"
)

// Find gives the session of the request's browser, with its user and, when clientID is not empty, what the user has allowed
// this client; nil when nobody is signed in. One round trip (and another one for each older key, when there is no such
// session); none without what could be a cookie of ours.
//
// An error means that it is not known whether somebody is signed in: never take it for nobody.
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

// alive judges a session.
func (m *Manager) alive(s *storage.LiveBrowserSession, now time.Time) bool {
	return s.User != nil && s.User.Active && s.User.AuthEpoch == s.UserEpoch && m.lasts(&s.BrowserSession, now)
}

// lasts tells whether a session has reached neither of its two ends.
func (m *Manager) lasts(s *storage.BrowserSession, now time.Time) bool {
	return now.Before(s.ExpiresAt) && (s.Remember || now.Before(s.LastSeenAt.Add(m.cfg.IdleTTL)))
}

// seen notes that the session was seen. When that fails the session ends a little too early, which is no reason to refuse
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

// List gives up to limit live sessions of a user, newest sign-in first.
func (m *Manager) List(ctx context.Context, userID int64, limit int) ([]*storage.BrowserSession, error) {
	now := m.Now()
	stored, err := m.cfg.Store.ListBrowserSessions(ctx, userID, now, limit)
	if err != nil {
		return nil, fmt.Errorf("list browser sessions: %w", err)
	}
	var live []*storage.BrowserSession
	for _, s := range stored {
		if m.lasts(s, now) {
			live = append(live, s)
		}
	}
	return live, nil
}
