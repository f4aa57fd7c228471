package console

import (
	"context"
	"fmt"
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
	servers, err := h.servers(ctx)
	if err != nil {
		return nil, err
	}
	day, month, err := h.plots(ctx)
	if err != nil {
		return nil, err
	}
	return &panel.Page{
		Active: panel.Overview, Heading: "console.title",
		Sections: []panel.Section{{Heading: "console.server", Facts: h.Health(ctx)}, servers, day, month, events},
	}, nil
}

// servers shows which servers run on this database.
func (h *Handlers) servers(ctx context.Context) (panel.Section, error) {
	s := panel.Section{Heading: "console.replicas", Text: "console.replicas_note", Empty: "console.replicas_none", Columns: []string{
		"console.replica", "console.state", "console.release", "console.schema", "console.clock", "console.started", "console.last_seen",
	}}
	list, err := h.Replicas(ctx)
	if err != nil {
		return s, err
	}
	for _, r := range list {
		state, release, clock := panel.Key("console.running", panel.Good), panel.Text(r.Release), panel.Text(fmt.Sprintf("%+d ms", r.ClockAhead))
		if r.Silent {
			state = panel.Key("console.silent", panel.Bad)
		}
		if r.Other {
			release.Tone = panel.Warn
		}
		switch {
		case r.Wrong:
			clock.Tone = panel.Bad
		case r.Noticed:
			clock.Tone = panel.Warn
		}
		s.Rows = append(s.Rows, []panel.Cell{panel.Text(r.Host), state, release, count(r.Schema), clock, panel.At(r.StartedAt), panel.At(r.SeenAt)})
	}
	return s, nil
}
