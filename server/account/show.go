package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"latchkey/server/password"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// What the page shows at most.
const (
	maxSessions = 50
	maxConsents = 200
	maxGrants   = 1000
	maxEvents   = 20
)

func (h *Handlers) show(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession) error {
	page, err := h.page(r.Context(), session)
	if err != nil {
		return err
	}
	page.Notice = outcome.Notice(r.URL.Query().Get(doneParameter)).Among(
		outcome.PasswordChanged, outcome.PasswordAdded, outcome.SessionEnded, outcome.AppEnded, outcome.ProfileChanged)
	return h.Pages.Render(w, r, http.StatusOK, page)
}

// page returns the contents of the account page.
func (h *Handlers) page(ctx context.Context, session *storage.LiveBrowserSession) (web.Account, error) {
	p := web.Account{
		Username: session.User.Username, Email: session.User.Email, AccountURL: h.Users.AccountURL(),
		Kept: h.Users.CanChangeProfile(), Mail: h.Mail,
	}
	if h.SecondFactors {
		p.SecurityURL = h.Paths.Base + route.SecurityPath
	}
	u, err := h.Users.Own(ctx, session.UserID)
	if err != nil {
		return p, err
	}
	switch {
	case !h.Users.CanChangePassword():
	case h.Users.CanChangeProfile() && !password.Usable(u.PasswordHash):
		p.FirstPasswordURL = h.Paths.Base + route.FirstPasswordPath
	default:
		p.HasPassword = true
	}
	p.Profile = h.profile(u)
	if p.Sessions, err = h.sessions(ctx, session); err != nil {
		return p, err
	}
	if p.Apps, err = h.applications(ctx, session.UserID); err != nil {
		return p, err
	}
	p.Events, err = h.events(ctx, session.UserID)
	return p, err
}

// sessions returns the user's browser sessions, the current one first.
func (h *Handlers) sessions(ctx context.Context, session *storage.LiveBrowserSession) ([]web.SessionInfo, error) {
	list, err := h.Sessions.List(ctx, session.UserID, maxSessions)
	if err != nil {
		return nil, err
	}
	infos := []web.SessionInfo{sessionInfo(&session.BrowserSession, true)}
	for _, s := range list {
		if s.ID != session.ID {
			infos = append(infos, sessionInfo(s, false))
		}
	}
	return infos, nil
}

func sessionInfo(s *storage.BrowserSession, current bool) web.SessionInfo {
	return web.SessionInfo{
		ID: s.ID.String(), Current: current, UserAgent: s.UserAgent, Address: s.Address, Since: s.CreatedAt, LastSeen: s.LastSeenAt,
	}
}

// applications returns the applications with a live grant or a consent of the user, last used first.
func (h *Handlers) applications(ctx context.Context, userID int64) ([]web.AppInfo, error) {
	consents, err := h.Store.ListConsents(ctx, userID, maxConsents)
	if err != nil {
		return nil, fmt.Errorf("list consents: %w", err)
	}
	grants, err := h.Store.ListGrants(ctx, storage.GrantFilter{UserID: userID, LiveAt: h.Sessions.Now(), Limit: maxGrants})
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	apps := make(map[string]*web.AppInfo)
	for _, c := range consents {
		add(apps, c.ClientID, c.CreatedAt, c.Scope)
	}
	for _, g := range grants {
		app := add(apps, g.ClientID, g.CreatedAt, g.Scope)
		app.Sessions++
		if g.LastUsedAt.After(app.LastUsed) {
			app.LastUsed = g.LastUsedAt
		}
	}
	list := make([]web.AppInfo, 0, len(apps))
	for id, app := range apps {
		if app.Client, err = h.client(ctx, id); err != nil {
			return nil, err
		}
		list = append(list, *app)
	}
	slices.SortFunc(list, func(a, b web.AppInfo) int {
		return cmp.Or(b.LastUsed.Compare(a.LastUsed), cmp.Compare(a.Client.ID, b.Client.ID))
	})
	return list, nil
}

// add adds a scope that was granted to an application at the given time.
func add(apps map[string]*web.AppInfo, clientID string, since time.Time, scope []string) *web.AppInfo {
	app := apps[clientID]
	if app == nil {
		app = &web.AppInfo{Since: since}
		apps[clientID] = app
	}
	if since.Before(app.Since) {
		app.Since = since
	}
	for _, name := range scope {
		if !slices.ContainsFunc(app.Scope, func(s web.ScopeInfo) bool { return s.Name == name }) {
			app.Scope = append(app.Scope, web.ScopeInfo{Name: name})
		}
	}
	return app
}

// client describes an application. For one that was removed it returns only the ID.
func (h *Handlers) client(ctx context.Context, id string) (web.ClientInfo, error) {
	c, err := h.Clients.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return web.ClientInfo{ID: id}, nil
	}
	if err != nil {
		return web.ClientInfo{}, fmt.Errorf("find application: %w", err)
	}
	return h.Describe(c), nil
}

// events returns the latest audit events of the user.
func (h *Handlers) events(ctx context.Context, userID int64) ([]web.EventInfo, error) {
	list, err := h.Store.ListAudit(ctx, storage.AuditFilter{UserID: userID, Limit: maxEvents})
	if err != nil {
		return nil, fmt.Errorf("list audit events: %w", err)
	}
	infos := make([]web.EventInfo, len(list))
	for i, e := range list {
		infos[i] = web.EventInfo{At: e.At, Action: e.Action, Outcome: e.Outcome, Address: e.Address}
		if e.ClientID == "" {
			continue
		}
		c, err := h.client(ctx, e.ClientID)
		if err != nil {
			return nil, err
		}
		infos[i].ClientName = cmp.Or(c.Name, c.ID)
	}
	return infos, nil
}
