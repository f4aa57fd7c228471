package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/clients/registry"
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

// Notifier makes logout notices, which a server sends once they are stored: its own or, for a command, any one on the same database.
type Notifier struct {
	Store   Store
	Clients *registry.Registry
	Now     func() time.Time
}

func (m *Manager) notifier() *Notifier {
	return &Notifier{Store: m.cfg.Store, Clients: m.cfg.Clients, Now: m.cfg.Now}
}

// Notices returns a notice for each client of each session of a user, to be stored in the transaction that ends the sessions.
func (n *Notifier) Notices(ctx context.Context, userID int64) ([]*storage.LogoutNotice, error) {
	now := n.Now().UTC().Truncate(time.Microsecond)
	sessions, err := n.Store.ListBrowserSessions(ctx, userID, now, maxSessions)
	if err != nil {
		return nil, fmt.Errorf("list browser sessions: %w", err)
	}
	var all []*storage.LogoutNotice
	for _, s := range sessions {
		notices, err := n.notices(ctx, userID, s.ID, now)
		if err != nil {
			return nil, err
		}
		all = append(all, notices...)
	}
	return all, nil
}

// OfAbsent returns the notices for a user whose account is missing in the directory. No session of such a user is alive here, so all that
// are known count: a client's own session may still be open.
func (n *Notifier) OfAbsent(ctx context.Context, p *storage.Presence) ([]*storage.LogoutNotice, error) {
	all, err := n.notices(ctx, p.ID, storage.ID{}, n.Now().UTC().Truncate(time.Microsecond))
	for _, notice := range all {
		notice.Subject = p.Subject
	}
	return all, err
}

// notices returns a logout notice for each client that has a grant of the session and a back-channel logout URL (OpenID Connect
// Back-Channel Logout 1.0 §2.2). Grants that have ended count too: the client's own session may still be open. Without a session
// it returns those of all sessions.
func (n *Notifier) notices(ctx context.Context, userID int64, session storage.ID, now time.Time) ([]*storage.LogoutNotice, error) {
	type recipient struct {
		session  storage.ID
		clientID string
	}
	var notices []*storage.LogoutNotice
	seen := make(map[recipient]bool)
	f := storage.GrantFilter{UserID: userID, SessionID: session, Limit: grantsPage}
	for range maxGrants / grantsPage {
		page, err := n.Store.ListGrants(ctx, f)
		if err != nil {
			return nil, fmt.Errorf("list grants of browser session: %w", err)
		}
		for _, g := range page {
			f.After = g.ID
			to := recipient{g.SessionID, g.ClientID}
			if seen[to] || g.SessionID.IsZero() { // no browser, no sid
				continue
			}
			seen[to] = true
			wants, err := n.wantsNotice(ctx, g.ClientID)
			if err != nil {
				return nil, err
			}
			if wants {
				notice := &storage.LogoutNotice{
					ID: storage.NewID(now), ClientID: g.ClientID, UserID: userID, SessionID: g.SessionID,
					CreatedAt: now, NextAttemptAt: now, ExpiresAt: now.Add(noticeTTL),
				}
				if g.User != nil { // not removed meanwhile
					notice.Subject = g.User.Subject
				}
				notices = append(notices, notice)
			}
		}
		if len(page) < grantsPage {
			break
		}
	}
	return notices, nil
}

// wantsNotice reports whether a client is enabled and has a back-channel logout URL.
func (n *Notifier) wantsNotice(ctx context.Context, clientID string) (bool, error) {
	c, err := n.Clients.Client(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find client to notify: %w", err)
	}
	return !c.Disabled && c.BackchannelLogoutURI != "", nil
}
