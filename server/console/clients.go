package console

import (
	"context"
	"net/url"

	"latchkey/clients"
	"latchkey/server/web/panel"
	"latchkey/storage"
)

// listClients shows the clients by their ids, or the one with the given id.
func (h *Handlers) listClients(ctx context.Context, query url.Values) (*panel.Page, error) {
	list, err := h.Clients.List(ctx, query.Get("after"), rowsPerPage)
	if err != nil {
		return nil, err
	}
	s := panel.Section{Columns: []string{"console.client", "console.name", "console.state", "console.origin", "console.created"}, Empty: "console.none"}
	for _, c := range list {
		s.Rows = append(s.Rows, []panel.Cell{
			panel.Link(c.ID, clientPath(c.ID)), panel.Text(c.ClientName), active(!c.Disabled), panel.Key(origin(c), panel.Plain), panel.At(c.CreatedAt),
		})
	}
	page := &panel.Page{
		Active: panel.Clients, Heading: "console.nav.clients",
		Search:   &panel.Form{Action: ClientPath, Get: true, Submit: "console.show", Inputs: []panel.Input{{Name: "id", Label: "console.client_id"}}},
		Sections: []panel.Section{kinds(), s},
	}
	if len(list) == rowsPerPage {
		page.Next = address(ClientsPath, "after", list[len(list)-1].ID)
	}
	return page, nil
}

// kinds leads to the forms for a new client.
func kinds() panel.Section {
	s := panel.Section{Heading: "console.new_client", Columns: []string{"console.kind", "console.kind_for"}}
	for _, k := range applications {
		s.Rows = append(s.Rows, []panel.Cell{
			{Key: "console.kind." + k.name, Link: address(NewClientPath, "kind", k.name)}, panel.Key("console.kind_for."+k.name, panel.Plain),
		})
	}
	return s
}

func clientPath(id string) string { return address(ClientPath, "id", id) }

func origin(c *clients.Client) string {
	switch c.Origin {
	case storage.OriginRegistration:
		return "console.origin.registration"
	case storage.OriginDocument:
		return "console.origin.document"
	}
	return "console.origin.operator"
}
