package console

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"latchkey/server/web/panel"
	"latchkey/storage"
)

const (
	maxSessions = 50
	maxEvents   = 20
	// maxCounted bounds how far sessions are counted.
	maxCounted = 100_000
)

// showUser shows a user: what is known, where they are signed in, and what happened.
func (h *Handlers) showUser(ctx context.Context, query url.Values) (*panel.Page, error) {
	u, err := h.user(ctx, query.Get("id"))
	if err != nil {
		return nil, err
	}
	page := &panel.Page{Active: panel.Users, Heading: "console.user", Subject: u.Username}
	about := panel.Section{Facts: []panel.Fact{
		{Name: "console.id", Value: panel.Code(u.Sub())},
		{Name: "console.state", Value: active(u.Active)},
		{Name: "console.email", Value: panel.Text(u.Email)},
		{Name: "console.name", Value: panel.Text(u.Name)},
		{Name: "console.groups", Value: words(u.Groups)},
		{Name: "console.created", Value: panel.At(u.CreatedAt)},
		{Name: "console.last_login", Value: panel.At(u.LastLogin)},
	}}
	browsers, err := h.browsers(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	sessions, err := h.sessions(ctx, storage.GrantFilter{UserID: u.ID})
	if err != nil {
		return nil, err
	}
	events, err := h.events(ctx, storage.AuditFilter{UserID: u.ID, Limit: maxEvents})
	if err != nil {
		return nil, err
	}
	events.Heading, events.More = "console.events", address(AuditPath, "user", strconv.FormatInt(u.ID, 10))
	factors, err := h.factorSection(ctx, u)
	if err != nil {
		return nil, err
	}
	letters, err := h.lettersOf(ctx, u)
	if err != nil {
		return nil, err
	}
	actions := panel.Section{Heading: "console.actions", Forms: append(h.letterForms(u), userForms(u)...)}
	page.Sections = append([]panel.Section{about}, append(letters, factors, sessions, browsers, events, actions)...)
	return page, nil
}

// user returns the user with an id.
func (h *Handlers) user(ctx context.Context, text string) (*storage.User, error) {
	id, err := number(text)
	if err != nil {
		return nil, err
	}
	u, err := h.Store.User(ctx, id)
	return u, orNotFound(err)
}

// browsers lists where a user is signed in.
func (h *Handlers) browsers(ctx context.Context, userID int64) (panel.Section, error) {
	s := panel.Section{Heading: "console.browsers", Columns: []string{"console.browser", "console.address", "console.signed_in", "console.last_seen"}, Empty: "console.none"}
	list, err := h.Sessions.List(ctx, userID, maxSessions)
	if err != nil {
		return s, err
	}
	for _, b := range list {
		s.Rows = append(s.Rows, []panel.Cell{panel.Text(b.UserAgent), panel.Text(b.Address), panel.At(b.AuthTime), panel.At(b.LastSeenAt)})
	}
	return s, nil
}

// sessions lists the live sessions that a filter selects: the access that clients have for users.
func (h *Handlers) sessions(ctx context.Context, f storage.GrantFilter) (panel.Section, error) {
	f.LiveAt, f.Limit = h.Sessions.Now(), maxSessions
	s := panel.Section{
		Heading: "console.sessions", Columns: []string{"console.client", "console.user", "console.created", "console.last_used", "console.address", "console.scope"},
		Empty: "console.none",
	}
	list, err := h.Store.ListGrants(ctx, f)
	if err != nil {
		return s, err
	}
	for _, g := range list {
		user := panel.Cell{}
		if g.User != nil {
			user = panel.Link(g.User.Username, userPath(g.UserID))
		}
		s.Rows = append(s.Rows, []panel.Cell{
			panel.Link(g.ClientID, clientPath(g.ClientID)), user, panel.At(g.CreatedAt), panel.At(g.LastUsedAt), panel.Text(g.Address), words(g.Scope),
		})
	}
	return s, nil
}

func userForms(u *storage.User) []panel.Form {
	id := strconv.FormatInt(u.ID, 10)
	toggle := act(UserPath, id, "disable", "console.disable_user")
	if !u.Active {
		toggle = act(UserPath, id, "enable", "console.enable_user")
	}
	return []panel.Form{act(UserPath, id, "end", "console.end_sessions"), toggle}
}

// act returns a button that does something with the user or client of a page.
func act(path, id, what, text string) panel.Form {
	return panel.Form{
		Action: path, Submit: text, Danger: !slices.Contains([]string{"enable", "verify", "send-reset", "send-verify", "test", "again"}, what),
		Hidden: []panel.Input{{Name: "id", Value: id}, {Name: "do", Value: what}},
	}
}

// changeUser disables or enables a user, ends their sessions, removes second factors, or sends a letter.
func (h *Handlers) changeUser(ctx context.Context, form url.Values) (*panel.Page, string, error) {
	u, err := h.user(ctx, form.Get("id"))
	if err != nil {
		return nil, "", err
	}
	var page *panel.Page
	what := form.Get("do")
	if what == "end" || what == "disable" {
		page, err = h.confirm(ctx, form, panel.Page{Active: panel.Users, Heading: "console.user", Subject: u.Username}, UserPath, storage.GrantFilter{UserID: u.ID})
		if page != nil || err != nil {
			return page, "", err
		}
	}
	done := ""
	switch what {
	case "end":
		done, err = "ended", h.Grants.EndOfUser(ctx, u.ID)
	case "disable":
		done, err = "disabled", h.Users.Disable(ctx, u.ID)
	case "enable":
		done, err = "enabled", h.Users.Enable(ctx, u.ID)
	case "remove-factor", "reset-factors":
		page, done, err = h.changeFactors(ctx, u, form)
	case "send-reset", "send-verify":
		page, done, err = h.sendLetter(ctx, u, form)
	default:
		err = malformed()
	}
	return page, address(UserPath, "id", form.Get("id"), "done", done), err
}

// confirm returns the page that asks before more than one session ends; nil once its form has the number. The number changes all the
// time, so that it is a bound, as in the API.
func (h *Handlers) confirm(ctx context.Context, form url.Values, page panel.Page, path string, f storage.GrantFilter) (*panel.Page, error) {
	f.LiveAt, f.Limit = h.Sessions.Now(), maxCounted
	n, err := h.Store.CountGrants(ctx, f)
	if err != nil {
		return nil, err
	}
	most, err := number(form.Get("confirm"))
	if err != nil || n <= 1 || int64(n) <= most {
		return nil, err
	}
	again := act(path, form.Get("id"), form.Get("do"), "console.confirm")
	again.Hidden = append(again.Hidden, panel.Input{Name: "confirm", Value: strconv.Itoa(n)})
	page.Sections = []panel.Section{{
		Heading: "console.confirm_title", Text: "console.confirm_text", Forms: []panel.Form{again},
		Facts: []panel.Fact{{Name: "console.live_sessions", Value: panel.Text(strconv.Itoa(n))}},
	}}
	return &page, nil
}
