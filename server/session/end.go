package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"latchkey/storage"
)

// End signs the user out of this browser. It ends the session and its grants without offline access, queues the notices for the
// clients with a back-channel logout URL, and removes the cookie.
func (m *Manager) End(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	if err := m.end(r.Context(), &s.BrowserSession, ending{reason: "signed_out"}); err != nil {
		return err
	}
	clearCookie(w)
	return nil
}

// EndFor ends a session of the user for a client that has shown an ID token of it, from whichever browser or server the request
// comes. It notifies the clients as End does. For a session that has ended already it ends the grants that may be left.
// The sessions of a user who was removed have ended.
func (m *Manager) EndFor(ctx context.Context, clientID, subject string, id storage.ID) error {
	user, err := m.cfg.Store.UserBySubject(ctx, subject)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the user of an ID token: %w", err)
	}
	return m.end(ctx, &storage.BrowserSession{ID: id, UserID: user.ID}, ending{reason: "signed_out_by_client", clientID: clientID})
}

// EndOther ends a session of the user that may be another browser's. For a session of another user it does nothing and returns nil.
func (m *Manager) EndOther(ctx context.Context, userID int64, id storage.ID) error {
	return m.end(ctx, &storage.BrowserSession{ID: id, UserID: userID}, ending{reason: "session_ended"})
}

// ending is why a session ends. The actor is the client if there is one, and otherwise the user.
type ending struct{ reason, clientID string }

// end ends a session, of which it needs the ID and the user.
func (m *Manager) end(ctx context.Context, s *storage.BrowserSession, why ending) error {
	now := m.Now()
	notices, err := m.notifier().notices(ctx, s.UserID, s.ID, now)
	if err != nil {
		return err
	}
	actor := "user"
	if why.clientID != "" {
		actor = "client"
	}
	event := m.cfg.Audit.Event(ctx, "browser_session_ended", actor)
	event.UserID, event.ClientID, event.Reason = s.UserID, why.clientID, why.reason
	event.Details = fmt.Appendf(nil, `{"browser_session":%q}`, s.ID) // to end it again after a restore
	event = m.cfg.Audit.Limited(ctx, event)
	ended, err := m.cfg.Store.EndBrowserSession(ctx, storage.BrowserSessionEnd{
		ID: s.ID, UserID: s.UserID, Reason: why.reason, Now: now, Notices: notices,
	}, event)
	if err != nil {
		return fmt.Errorf("end browser session: %w", err)
	}
	if ended {
		m.cfg.Audit.Written(event)
		m.cfg.Noticed()
	}
	return nil
}

// EndEverywhere ends all browser sessions and all grants of the session's user, including those with offline access and those of
// the password grant. It notifies the clients and removes the cookie.
func (m *Manager) EndEverywhere(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	if err := m.cfg.Users.EndOwnSessions(r.Context(), s.UserID); err != nil {
		return err
	}
	clearCookie(w)
	return nil
}

// Forget removes the cookie of a session that has ended.
func (m *Manager) Forget(w http.ResponseWriter) { clearCookie(w) }
