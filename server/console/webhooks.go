package console

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	wire "latchkey/admin"
	"latchkey/clients"
	"latchkey/server/trail"
	"latchkey/server/web/panel"
	"latchkey/server/webhooks"
	"latchkey/storage"
)

// listWebhooks shows the targets of events, and the form for a new one.
func (h *Handlers) listWebhooks(ctx context.Context, _ url.Values) (*panel.Page, error) {
	return h.webhooksPage(ctx, nil)
}

// webhooksPage returns the list of targets. The form for a new one has what was typed, if there is such.
func (h *Handlers) webhooksPage(ctx context.Context, typed url.Values) (*panel.Page, error) {
	list, err := h.Webhooks.List(ctx)
	if err != nil {
		return nil, err
	}
	s := panel.Section{Empty: "console.none", Columns: []string{
		"console.url", "console.name", "console.types", "console.state", "console.last_outcome", "console.waiting", "console.abandoned",
	}}
	for _, row := range list {
		w, err := h.Webhooks.Describe(ctx, row)
		if err != nil {
			return nil, err
		}
		s.Rows = append(s.Rows, []panel.Cell{
			panel.Link(w.URL, address(WebhookPath, "id", w.ID)), panel.Text(w.Name), sentTypes(w), webhookState(w), lastAnswer(w), count(int64(w.Deliveries.Waiting)), abandoned(w),
		})
	}
	return &panel.Page{Active: panel.Webhooks, Heading: "console.nav.webhooks", Sections: []panel.Section{s, {
		Heading: "console.new_webhook", Text: "console.new_webhook_note",
		Forms: []panel.Form{{Action: WebhooksPath, Submit: "console.add_webhook", Inputs: webhookInputs(newWebhook(typed))}},
	}}}, nil
}

// newWebhook reads the fields of a target from a form.
func newWebhook(form url.Values) wire.NewWebhook {
	n := wire.NewWebhook{URL: strings.TrimSpace(form.Get("url")), Name: strings.TrimSpace(form.Get("name"))}
	for _, kind := range trail.Types() {
		if form.Has("types." + kind) {
			n.Types = append(n.Types, kind)
		}
	}
	return n
}

func webhookInputs(n wire.NewWebhook) []panel.Input {
	types := panel.Input{Name: "types", Label: "console.types", Note: "console.types_note", Check: true, Values: n.Types}
	for _, kind := range trail.Types() {
		types.Options = append(types.Options, panel.Option{Value: kind})
	}
	return []panel.Input{
		{Name: "url", Label: "console.url", Note: "console.url_note", Value: n.URL, Required: true},
		{Name: "name", Label: "console.name", Note: "console.webhook_name_note", Value: n.Name},
		types,
	}
}

// addWebhook adds a target and shows its secret, once.
func (h *Handlers) addWebhook(ctx context.Context, form url.Values) (*panel.Page, string, error) {
	w, secret, err := h.Webhooks.Add(ctx, newWebhook(form), false)
	problem, detail := "", ""
	switch faults := clients.Faults(err); {
	case len(faults) > 0:
		problem, detail = "console.webhook_invalid", faults[0].Error()
	case errors.Is(err, storage.ErrLimit):
		problem, detail = "console.webhook_limit", strconv.Itoa(webhooks.MaxTargets)
	case err != nil:
		return nil, "", err
	}
	if problem != "" {
		page, err := h.webhooksPage(ctx, form)
		if err == nil {
			page.Problem, page.Detail = problem, detail
		}
		return page, "", err
	}
	page, err := h.webhookPage(ctx, w, nil)
	if err != nil {
		return nil, "", err
	}
	page.Notice, page.Secrets = "console.done.webhook_added", webhookSecret(secret)
	return page, "", nil
}

func webhookSecret(secret storage.Secret) []panel.Fact {
	return []panel.Fact{{Name: "console.webhook_secret", Value: panel.Code(secret.Reveal())}}
}

func sentTypes(w wire.Webhook) panel.Cell {
	if len(w.Types) == 0 {
		return panel.Key("console.all_types", panel.Plain)
	}
	return words(w.Types)
}

func webhookState(w wire.Webhook) panel.Cell {
	switch {
	case !w.Enabled:
		return panel.Key("console.disabled", panel.Bad)
	case !w.Deliveries.FailingSince.IsZero():
		return panel.Key("console.failing", panel.Warn)
	}
	return panel.Key("console.delivering", panel.Good)
}

// lastAnswer is the status of the last attempt, or why there was none.
func lastAnswer(w wire.Webhook) panel.Cell {
	if w.Deliveries.LastStatus == 0 {
		return panel.Text(w.Deliveries.LastError)
	}
	return count(int64(w.Deliveries.LastStatus))
}

func abandoned(w wire.Webhook) panel.Cell {
	cell := count(w.Deliveries.Abandoned)
	if w.Deliveries.Abandoned > 0 {
		cell.Tone = panel.Warn
	}
	return cell
}

func count(n int64) panel.Cell { return panel.Text(strconv.FormatInt(n, 10)) }
