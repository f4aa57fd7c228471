package console

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strconv"

	"latchkey/server/trail"
	"latchkey/server/web/panel"
	"latchkey/storage"
)

const eventsPerPage = 50

// listAudit shows the audit log, the latest first: of a user, a client or a kind of event.
func (h *Handlers) listAudit(ctx context.Context, query url.Values) (*panel.Page, error) {
	user, client, action := query.Get("user"), query.Get("client"), query.Get("action")
	page := &panel.Page{
		Active: panel.Audit, Heading: "console.nav.audit",
		Search: &panel.Form{Action: AuditPath, Get: true, Submit: "console.filter", Inputs: []panel.Input{
			{Name: "user", Label: "console.filter.user", Value: user},
			{Name: "client", Label: "console.filter.client", Value: client},
			{Name: "action", Label: "console.filter.action", Value: action, Note: "console.filter.action_note"},
		}},
	}
	before, err := idOf(query.Get("before"))
	if err != nil {
		return nil, err
	}
	filter := storage.AuditFilter{ClientID: client, Action: action, Before: before, Limit: eventsPerPage}
	if user != "" {
		id, err := h.userID(ctx, user)
		if errors.Is(err, storage.ErrNotFound) {
			page.Problem = "console.no_user"
			return page, nil
		}
		if err != nil {
			return nil, err
		}
		filter.UserID = id
	}
	events, err := h.Store.ListAudit(ctx, filter)
	if err != nil {
		return nil, err
	}
	rows, err := h.eventRows(ctx, events)
	if err != nil {
		return nil, err
	}
	page.Sections = []panel.Section{rows}
	if len(events) == filter.Limit {
		page.Next = address(AuditPath, "user", user, "client", client, "action", action, "before", events[len(events)-1].ID.String())
	}
	return page, nil
}

// userID returns the id of the user that a filter names, by name or by id.
func (h *Handlers) userID(ctx context.Context, text string) (int64, error) {
	u, err := h.Store.UserByUsername(ctx, text)
	if err == nil {
		return u.ID, nil
	}
	if id, invalid := strconv.ParseInt(text, 10, 64); invalid == nil && id > 0 && errors.Is(err, storage.ErrNotFound) {
		return id, nil // a user who was removed has a history
	}
	return 0, err
}

// events returns the events that a filter selects.
func (h *Handlers) events(ctx context.Context, f storage.AuditFilter) (panel.Section, error) {
	events, err := h.Store.ListAudit(ctx, f)
	if err != nil {
		return panel.Section{}, err
	}
	return h.eventRows(ctx, events)
}

// eventRows shows events with the names of their users; a user who was removed has an ID only.
func (h *Handlers) eventRows(ctx context.Context, events []*storage.AuditEvent) (panel.Section, error) {
	s := panel.Section{
		Columns: []string{"console.time", "console.event", "console.outcome", "console.reason", "console.user", "console.client", "console.address"},
		Empty:   "console.none",
	}
	reader := trail.NewReader(h.Store)
	for _, event := range events {
		e, err := reader.Describe(ctx, event)
		if err != nil {
			return s, err
		}
		user, client := panel.Cell{}, panel.Cell{}
		if e.UserID != 0 {
			id := strconv.FormatInt(e.UserID, 10)
			user = panel.Link(cmp.Or(e.Username, id), address(UserPath, "id", id))
		}
		if e.ClientID != "" {
			client = panel.Link(e.ClientID, address(ClientPath, "id", e.ClientID))
		}
		s.Rows = append(s.Rows, []panel.Cell{
			panel.At(e.At), panel.Link(e.Action, address(AuditPath, "action", e.Action)), outcome(e.Outcome), panel.Text(e.Reason), user, client, panel.Text(e.Address),
		})
	}
	return s, nil
}

// outcome marks what went wrong.
func outcome(name string) panel.Cell {
	switch name {
	case "success":
		return panel.Key("console.outcome.success", panel.Good)
	case "failure":
		return panel.Key("console.outcome.failure", panel.Bad)
	case "denied":
		return panel.Key("console.outcome.denied", panel.Warn)
	}
	return panel.Text(name)
}
