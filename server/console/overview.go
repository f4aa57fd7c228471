package console

import (
	"context"
	"net/url"

	"latchkey/server/web/panel"
	"latchkey/storage"
)

const latestEvents = 20

// overview shows the state of the server, its keys, and what happened last.
func (h *Handlers) overview(ctx context.Context, _ url.Values) (*panel.Page, error) {
	events, err := h.events(ctx, storage.AuditFilter{Limit: latestEvents})
	if err != nil {
		return nil, err
	}
	events.Heading, events.More = "console.events", AuditPath
	signing := panel.Section{Heading: "console.keys", Columns: []string{"console.key", "console.alg", "console.state", "console.key.from", "console.key.until"}, Empty: "console.none"}
	for _, k := range h.Keys.List() {
		signing.Rows = append(signing.Rows, []panel.Cell{
			panel.Code(k.KID), panel.Text(k.Algorithm), panel.Text(string(k.State)), panel.At(k.ActivatesAt), panel.At(k.ExpiresAt),
		})
	}
	signing.Forms = []panel.Form{{
		Action: Path, Title: "console.rotate_keys", Note: "console.rotate_keys_note", Submit: "console.rotate_keys", Danger: true,
		Hidden: []panel.Input{{Name: "do", Value: "rotate-keys"}},
	}}
	return &panel.Page{
		Active: panel.Overview, Heading: "console.title",
		Sections: []panel.Section{{Heading: "console.server", Facts: h.Health(ctx)}, signing, events},
	}, nil
}

// changeKeys replaces the keys that sign: each new one is published first, and signs once clients have had time to fetch it.
func (h *Handlers) changeKeys(ctx context.Context, form url.Values) (*panel.Page, string, error) {
	if form.Get("do") != "rotate-keys" {
		return nil, "", malformed()
	}
	_, err := h.Keys.RotateAll(ctx, "", false)
	return nil, address(Path, "done", "keys"), err
}
