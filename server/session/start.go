package session

import (
	"errors"
	"fmt"
	"net/http"

	"latchkey/clients"
	"latchkey/server/internal/request"
	"latchkey/server/users"
	"latchkey/storage"
)

// Start signs a user in in this browser, whose present session, if any, ends with it: a new cookie, and a session that keeps
// its ID when it is the same user's. What the login changes is written in the same act.
//
// present is what Find gave. Nobody is signed in after an error, and the cookie is as it was.
func (m *Manager) Start(w http.ResponseWriter, r *http.Request, who *users.Authenticated, remember bool, present *storage.LiveBrowserSession) (*storage.LiveBrowserSession, error) {
	ctx := r.Context()
	if present != nil && present.UserID != who.User.ID {
		// The applications that the other user is signed in to must know that the browser has changed hands.
		if err := m.end(ctx, &present.BrowserSession, "signed_in_as_another"); err != nil {
			return nil, err
		}
		present = nil
	}
	value := clients.NewSecret(prefix)
	s := m.begin(r, value, who, remember, present)
	event := m.cfg.Users.LoginEvent(ctx, who.User, "", storage.ID{})
	replaces := m.replaced(r, present)
	err := m.cfg.Store.CreateBrowserSession(ctx, s, replaces, who.Login, event)
	if present != nil && (errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrConflict)) {
		// The same browser has signed in twice at the same time, and the other one was faster.
		s.ID = storage.NewID(s.CreatedAt)
		err = m.cfg.Store.CreateBrowserSession(ctx, s, replaces, who.Login, event)
	}
	if err != nil {
		return nil, fmt.Errorf("start browser session: %w", err)
	}
	m.cfg.Audit.Written(event)
	give(w, value, remember, m.cfg.RememberTTL)
	return &storage.LiveBrowserSession{BrowserSession: *s, User: who.User}, nil
}

// replaced is the hash of the session that the new one replaces: the present one, or one that has ended, whose row is of no
// more use. Of an old key's, which only Find knows, it is left to the cleaning.
func (m *Manager) replaced(r *http.Request, present *storage.LiveBrowserSession) storage.Digest {
	if present != nil {
		return present.Hash
	}
	if value := presented(r); value != "" {
		return hash(m.cfg.Keys[0], value)
	}
	return storage.Digest{}
}

// begin is the row of a session that begins now, by a password.
func (m *Manager) begin(r *http.Request, value storage.Secret, who *users.Authenticated, remember bool, present *storage.LiveBrowserSession) *storage.BrowserSession {
	now, from := m.Now(), request.From(r.Context())
	s := &storage.BrowserSession{
		ID: storage.NewID(now), Hash: hash(m.cfg.Keys[0], value),
		UserID: who.User.ID, UserEpoch: who.User.AuthEpoch,
		CreatedAt: now, AuthTime: now, AMR: []string{"pwd"}, // RFC 8176 §2
		LastSeenAt: now, ExpiresAt: now.Add(m.cfg.TTL), Remember: remember,
		Address: from.AddressText(), UserAgent: from.UserAgent,
	}
	if remember {
		s.ExpiresAt = now.Add(m.cfg.RememberTTL)
	}
	if present != nil {
		s.ID, s.CreatedAt = present.ID, present.CreatedAt
	}
	return s
}
