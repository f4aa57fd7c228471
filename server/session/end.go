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
	// noticeTTL is how long a client is tried to be told of a logout.
	noticeTTL = 24 * time.Hour
	// grantsPage and grantsMost bound the grants of a session that are looked through for clients to tell.
	grantsPage = 500
	grantsMost = 20 * grantsPage
	// sessionsMost bounds the sessions of a user whose clients are told when all of them end.
	sessionsMost = 100
)

// End signs the user out of this browser: the session ends, with the grants that came from it and are not for offline
// access, the clients that want to know are going to be told, and the cookie goes.
func (m *Manager) End(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	if err := m.end(r.Context(), &s.BrowserSession, "signed_out"); err != nil {
		return err
	}
	take(w)
	return nil
}

// EndOther is End for a session that may be another browser's. One that is not this user's is left alone, and no error.
func (m *Manager) EndOther(ctx context.Context, userID int64, id storage.ID) error {
	return m.end(ctx, &storage.BrowserSession{ID: id, UserID: userID}, "session_ended")
}

// end ends a session of which the ID and the user are known.
func (m *Manager) end(ctx context.Context, s *storage.BrowserSession, reason string) error {
	now := m.Now()
	notices, err := m.notices(ctx, s.UserID, s.ID, now)
	if err != nil {
		return err
	}
	event := m.cfg.Audit.Event(ctx, "browser_session_ended", "user")
	event.UserID, event.Reason = s.UserID, reason
	ended, err := m.cfg.Store.EndBrowserSession(ctx, storage.BrowserSessionEnd{
		ID: s.ID, UserID: s.UserID, Reason: reason, Now: now, Notices: notices,
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

// TellEverywhere lets the clients of all sessions of a user be told that these end. It is for before the user's epoch is
// raised, which ends them all: nobody could tell which they were afterwards.
func (m *Manager) TellEverywhere(ctx context.Context, userID int64) error {
	now := m.Now()
	sessions, err := m.cfg.Store.ListBrowserSessions(ctx, userID, now, sessionsMost)
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

// EndEverywhere ends every browser session and every grant of the session's user, those for offline access and of the
// password grant too, and lets the clients be told. The cookie goes.
func (m *Manager) EndEverywhere(w http.ResponseWriter, r *http.Request, s *storage.LiveBrowserSession) error {
	if err := m.TellEverywhere(r.Context(), s.UserID); err != nil {
		return err
	}
	if err := m.cfg.Users.EndOwnSessions(r.Context(), s.UserID); err != nil {
		return err
	}
	take(w)
	return nil
}

// notices are for the clients that hold something from the session and want to know of its end (OpenID Connect Back-Channel
// Logout 1.0 §2.2). A grant that has ended counts: what the client made of it may live on.
func (m *Manager) notices(ctx context.Context, userID int64, session storage.ID, now time.Time) ([]*storage.LogoutNotice, error) {
	var notices []*storage.LogoutNotice
	told := make(map[string]bool)
	f := storage.GrantFilter{UserID: userID, SessionID: session, Limit: grantsPage}
	for range grantsMost / grantsPage {
		page, err := m.cfg.Store.ListGrants(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("list grants of browser session: %w", err)
		}
		for _, g := range page {
			f.After = g.ID
			if told[g.ClientID] {
				continue
			}
			told[g.ClientID] = true
			wants, err := m.wantsNotice(ctx, g.ClientID)
			if err != nil {
				return nil, err
			}
			if wants {
				notices = append(notices, &storage.LogoutNotice{
					ID: storage.NewID(now), ClientID: g.ClientID, UserID: userID, SessionID: session,
					CreatedAt: now, NextAttemptAt: now, ExpiresAt: now.Add(noticeTTL),
				})
			}
		}
		if len(page) < grantsPage {
			break
		}
	}
	return notices, nil
}

func (m *Manager) wantsNotice(ctx context.Context, clientID string) (bool, error) {
	c, err := m.cfg.Clients.Client(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find client to tell: %w", err)
	}
	return !c.Disabled && c.BackchannelLogoutURI != "", nil
}
