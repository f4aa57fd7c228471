package console

import (
	"context"
	"net/url"
	"strconv"

	"latchkey/server/web/panel"
	"latchkey/storage"
)

const rowsPerPage = 50

// listUsers shows users, or those whose name or address has a text.
func (h *Handlers) listUsers(ctx context.Context, query url.Values) (*panel.Page, error) {
	text, group := query.Get("text"), query.Get("group")
	after, err := number(query.Get("after"))
	if err != nil {
		return nil, err
	}
	found, err := h.Store.SearchUsers(ctx, storage.UserFilter{After: after, Limit: rowsPerPage, Text: text, Group: group})
	if err != nil {
		return nil, err
	}
	s := panel.Section{Columns: []string{"console.user", "console.email", "console.name", "console.state", "console.last_login"}, Empty: "console.none"}
	for _, u := range found {
		s.Rows = append(s.Rows, []panel.Cell{
			panel.Link(u.Username, userPath(u.ID)), panel.Text(u.Email), panel.Text(u.Name), active(u.Active), panel.At(u.LastLogin),
		})
	}
	page := &panel.Page{
		Active: panel.Users, Heading: "console.nav.users",
		Search: &panel.Form{Action: UsersPath, Get: true, Submit: "console.search", Inputs: []panel.Input{
			{Name: "text", Label: "console.search.user", Value: text}, {Name: "group", Label: "console.search.group", Value: group},
		}},
		Sections: []panel.Section{s},
	}
	if len(found) == rowsPerPage {
		page.Next = address(UsersPath, "text", text, "group", group, "after", strconv.FormatInt(found[len(found)-1].ID, 10))
	}
	return page, nil
}

func userPath(id int64) string { return address(UserPath, "id", strconv.FormatInt(id, 10)) }

func active(is bool) panel.Cell {
	if is {
		return panel.Key("console.active", panel.Good)
	}
	return panel.Key("console.disabled", panel.Bad)
}

// number returns the positive number of a parameter; 0 if it is absent.
func number(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, notFound()
	}
	return n, nil
}
