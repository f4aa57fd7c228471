package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"latchkey/storage"
)

const (
	// noticeTTL is how long delivery of a logout notice is attempted.
	noticeTTL = 24 * time.Hour
	// grantsPage and maxGrants bound the grants of a session that are searched for clients to notify.
	grantsPage = 500
	maxGrants  = 20 * grantsPage
	// maxSessions bounds the sessions of a user whose clients are notified when all of them end.
	maxSessions = 100
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
	notices, err := m.notices(ctx, s.UserID, s.ID, now)
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

// NotifyAllClients queues logout notices for the clients of all sessions of a user. It must be called before the user's epoch is
// raised: that ends the sessions, and they are no longer listed afterwards.
func (m *Manager) NotifyAllClients(ctx context.Context, userID int64) error {
	now := m.Now()
	sessions, err := m.cfg.Store.ListBrowserSessions(ctx, userID, now, maxSessions)
	if err != nil {
		return fmt.Errorf("list browser sessions: %w", err)
	}
	var all []*storage.LogoutNotice
	for _, s := range sessions {
		notices, err := m.notices(ctx, userID, s.ID, now)
		if err != nil {
			return err
		}
		all = append(all, notices...)
	}
	if len(all) == 0 {
		return nil
	}
	if err := m.cfg.Store.CreateLogoutNotices(ctx, all...); err != nil {
		return fmt.Errorf("note logouts: %w", err)
	}
	m.cfg.Noticed()
	return nil
}

// EndEverywhere ends all browser sessions and all grants of the session's user, including those with offline access and those of
// the password grant. It notifies the clients and removes the cookie.
func (m *Manager) EndEverywhere(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	if err := m.NotifyAllClients(r.Context(), s.UserID); err != nil {
		return err
	}
	if err := m.cfg.Users.EndOwnSessions(r.Context(), s.UserID); err != nil {
		return err
	}
	clearCookie(w)
	return nil
}

// notices returns a logout notice for each client that has a grant of the session and a back-channel logout URL (OpenID Connect
// Back-Channel Logout 1.0 §2.2). Grants that have ended count too: the client's own session may still be open.
func (m *Manager) notices(ctx context.Context, userID int64, session storage.ID, now time.Time) ([]*storage.LogoutNotice, error) {
	var notices []*storage.LogoutNotice
	seen := make(map[string]bool)
	f := storage.GrantFilter{UserID: userID, SessionID: session, Limit: grantsPage}
	for range maxGrants / grantsPage {
		page, err := m.cfg.Store.ListGrants(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("list grants of browser session: %w", err)
		}
		for _, g := range page {
			f.After = g.ID
			if seen[g.ClientID] {
				continue
			}
			seen[g.ClientID] = true
			wants, err := m.wantsNotice(ctx, g.ClientID)
			if err != nil {
				return nil, err
			}
			if wants {
				n := &storage.LogoutNotice{
					ID: storage.NewID(now), ClientID: g.ClientID, UserID: userID, SessionID: session,
					CreatedAt: now, NextAttemptAt: now, ExpiresAt: now.Add(noticeTTL),
				}
				if g.User != nil { // not removed meanwhile
					n.Subject = g.User.Subject
				}
				notices = append(notices, n)
			}
		}
		if len(page) < grantsPage {
			break
		}
	}
	return notices, nil
}

// wantsNotice reports whether a client is enabled and has a back-channel logout URL.
func (m *Manager) wantsNotice(ctx context.Context, clientID string) (bool, error) {
	c, err := m.cfg.Clients.Client(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find client to notify: %w", err)
	}
	return !c.Disabled && c.BackchannelLogoutURI != "", nil
}
