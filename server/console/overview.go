package console

import (
	"context"
	"net/url"

	"latchkey/server/web/panel"
	"latchkey/storage"
)

const latestEvents = 20

// overview shows the state of the server, and what happened last.
func (h *Handlers) overview(ctx context.Context, _ url.Values) (*panel.Page, error) {
	events, err := h.events(ctx, storage.AuditFilter{Limit: latestEvents})
	if err != nil {
		return nil, err
	}
	events.Heading, events.More = "console.events", AuditPath
	return &panel.Page{
		Active: panel.Overview, Heading: "console.title",
		Sections: []panel.Section{{Heading: "console.server", Facts: h.Health(ctx)}, events},
	}, nil
}
