package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/internal/request"
	"latchkey/server/users"
	"latchkey/storage"
)

// Start signs a user in in this browser and sets a new cookie. current is the session that Find returned; the new one replaces it,
// and keeps its ID if it belongs to the same user. The changes of the login are written in the same transaction.
//
// After an error the user is not signed in, the cookie is unchanged, and the attempt at the password is given back.
func (m *Manager) Start(w http.ResponseWriter, r *http.Request, who *users.Authenticated, remember bool, current *storage.LiveBrowserSession) (_ *storage.LiveBrowserSession, err error) {
	ctx := r.Context()
	defer func() {
		if err != nil {
			m.cfg.Users.GiveBack(ctx, who)
		}
	}()
	if current != nil && current.UserID != who.User.ID {
		// The clients of the other user's session are notified that it has ended.
		if err := m.end(ctx, &current.BrowserSession, ending{reason: "signed_in_as_another"}); err != nil {
			return nil, err
		}
		current = nil
	}
	value := clients.NewSecret(prefix)
	s := m.begin(r, value, who, remember, current)
	event := m.cfg.Users.LoginEvent(ctx, who.User, "", storage.ID{})
	event.Details = fmt.Appendf(nil, `{"methods":%q}`, strings.Join(s.AMR, " "))
	event = m.cfg.Audit.Limited(ctx, event)
	replaces := m.replaced(r, current)
	err = m.cfg.Store.CreateBrowserSession(ctx, s, replaces, who.Login, event)
	if current != nil && (errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrConflict)) {
		// The browser has sent two logins at the same time, and the other one was faster.
		s.ID = storage.NewID(s.CreatedAt)
		err = m.cfg.Store.CreateBrowserSession(ctx, s, replaces, who.Login, event)
	}
	if err != nil {
		return nil, fmt.Errorf("start browser session: %w", err)
	}
	m.cfg.Audit.Written(event)
	setCookie(w, value, remember, m.cfg.RememberTTL)
	return &storage.LiveBrowserSession{BrowserSession: *s, User: who.User}, nil
}

// replaced returns the hash of the session that the new one replaces: the current one, or the ended one of the request's cookie.
// An ended session under an older key is left to Maintain.
func (m *Manager) replaced(r *http.Request, current *storage.LiveBrowserSession) storage.Digest {
	if current != nil {
		return current.Hash
	}
	if value := presented(r); value != "" {
		return hash(m.cfg.Keys[0], value)
	}
	return storage.Digest{}
}

// begin returns the row of a session that begins now with a login.
func (m *Manager) begin(r *http.Request, value storage.Secret, who *users.Authenticated, remember bool, current *storage.LiveBrowserSession) *storage.BrowserSession {
	now, from := m.Now(), request.From(r.Context())
	s := &storage.BrowserSession{
		ID: storage.NewID(now), Hash: hash(m.cfg.Keys[0], value),
		UserID: who.User.ID, UserEpoch: who.User.AuthEpoch,
		CreatedAt: now, AuthTime: now, AMR: who.Methods,
		LastSeenAt: now, ExpiresAt: now.Add(m.cfg.TTL), Remember: remember,
		Address: from.AddressText(), UserAgent: from.UserAgent,
	}
	if len(s.AMR) == 0 {
		s.AMR = []string{claims.AMRPassword}
	}
	if !who.AuthTime.IsZero() {
		s.AuthTime = who.AuthTime
	}
	if remember {
		s.ExpiresAt = now.Add(m.cfg.RememberTTL)
	}
	if current != nil {
		s.ID, s.CreatedAt = current.ID, current.CreatedAt
	}
	return s
}
