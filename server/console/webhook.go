package console

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	wire "latchkey/admin"
	"latchkey/clients"
	"latchkey/server/web/panel"
	"latchkey/server/webhooks"
	"latchkey/storage"
)

// showWebhook shows a target of events, and how its deliveries go.
func (h *Handlers) showWebhook(ctx context.Context, query url.Values) (*panel.Page, error) {
	w, err := h.webhook(ctx, query.Get("id"))
	if err != nil {
		return nil, err
	}
	return h.webhookPage(ctx, w, nil)
}

// webhook returns the target with an id.
func (h *Handlers) webhook(ctx context.Context, text string) (*storage.Webhook, error) {
	id, err := idOf(text)
	if err != nil {
		return nil, err
	}
	w, err := h.Webhooks.Find(ctx, id)
	return w, orNotFound(err)
}

// webhookPage returns the page of a target. The form has what was typed, if there is such.
func (h *Handlers) webhookPage(ctx context.Context, row *storage.Webhook, typed url.Values) (*panel.Page, error) {
	w, err := h.Webhooks.Describe(ctx, row)
	if err != nil {
		return nil, err
	}
	fields := wire.NewWebhook{URL: w.URL, Name: w.Name, Types: w.Types}
	if typed != nil {
		fields = newWebhook(typed)
	}
	form := act(WebhookPath, w.ID, "change", "console.save")
	form.Danger, form.Inputs = false, webhookInputs(fields)
	form.Hidden = append(form.Hidden, panel.Input{Name: "version", Value: strconv.FormatInt(row.Version, 10)})
	return &panel.Page{Active: panel.Webhooks, Heading: "console.webhook", Subject: w.Name, Sections: []panel.Section{
		{Facts: webhookFacts(w)},
		{Heading: "console.deliveries", Facts: deliveryFacts(w)},
		{Heading: "console.change", Forms: []panel.Form{form}},
		{Heading: "console.actions", Forms: webhookForms(w)},
	}}, nil
}

func webhookFacts(w wire.Webhook) []panel.Fact {
	facts := []panel.Fact{
		{Name: "console.url", Value: panel.Code(w.URL)}, {Name: "console.id", Value: panel.Code(w.ID)}, {Name: "console.state", Value: webhookState(w)},
	}
	if !w.Enabled {
		why := "console.disabled_by_operator"
		if w.DisabledReason == webhooks.ReasonGone {
			why = "console.disabled_gone"
		}
		facts = append(facts, panel.Fact{Name: "console.disabled_why", Value: panel.Key(why, panel.Plain)}, panel.Fact{Name: "console.disabled_at", Value: panel.At(w.DisabledAt)})
	}
	facts = append(facts, panel.Fact{Name: "console.types", Value: sentTypes(w)}, panel.Fact{Name: "console.created", Value: panel.At(w.CreatedAt)})
	if !w.OldSecretExpiresAt.IsZero() {
		facts = append(facts, panel.Fact{Name: "console.old_secret_until", Value: panel.At(w.OldSecretExpiresAt)})
	}
	return facts
}

func deliveryFacts(w wire.Webhook) []panel.Fact {
	d := w.Deliveries
	facts := []panel.Fact{
		{Name: "console.waiting", Value: count(int64(d.Waiting))},
		{Name: "console.abandoned", Value: abandoned(w)},
		{Name: "console.last_attempt", Value: panel.At(d.LastAttemptAt)},
		{Name: "console.last_success", Value: panel.At(d.LastSuccessAt)},
	}
	if d.LastStatus != 0 {
		facts = append(facts, panel.Fact{Name: "console.last_outcome", Value: lastAnswer(w)})
	}
	if d.LastError != "" {
		facts = append(facts, panel.Fact{Name: "console.last_error", Value: panel.Text(d.LastError)}, panel.Fact{Name: "console.failing_since", Value: panel.At(d.FailingSince)})
	}
	return facts
}

func webhookForms(w wire.Webhook) []panel.Form {
	test := act(WebhookPath, w.ID, "test", "console.test")
	test.Note = "console.test_note"
	toggle := act(WebhookPath, w.ID, "disable", "console.disable_webhook")
	if !w.Enabled {
		toggle = act(WebhookPath, w.ID, "enable", "console.enable_webhook")
	}
	return []panel.Form{test, rotateForm(WebhookPath, w.ID), toggle, act(WebhookPath, w.ID, "remove", "console.remove_webhook")}
}

// changeWebhook does what the forms of a target's page say.
func (h *Handlers) changeWebhook(ctx context.Context, form url.Values) (*panel.Page, string, error) {
	w, err := h.webhook(ctx, form.Get("id"))
	if err != nil {
		return nil, "", err
	}
	var page *panel.Page
	done := ""
	switch what := form.Get("do"); what {
	case "change":
		page, err = h.saveWebhook(ctx, w, form)
		done = "changed"
	case "rotate":
		page, err = h.rotateWebhook(ctx, w, form)
	case "enable", "disable":
		_, err = h.Webhooks.Update(ctx, w, wire.WebhookChange{Enabled: new(what == "enable")}, false)
		done = what + "d"
	case "test":
		page, err = h.testWebhook(ctx, w)
	case "remove":
		return h.removeWebhook(ctx, w, form)
	default:
		err = malformed()
	}
	if errors.Is(err, storage.ErrConflict) {
		page, err = h.outdatedWebhook(ctx, w)
	}
	return page, address(WebhookPath, "id", form.Get("id"), "done", done), err
}

// saveWebhook changes a target. It returns a page if it can't be: what the form shows may have been changed by another operator meanwhile.
func (h *Handlers) saveWebhook(ctx context.Context, w *storage.Webhook, form url.Values) (*panel.Page, error) {
	version, err := number(form.Get("version"))
	if err != nil || version != w.Version {
		return h.outdatedWebhook(ctx, w)
	}
	n := newWebhook(form)
	_, err = h.Webhooks.Update(ctx, w, wire.WebhookChange{URL: &n.URL, Name: &n.Name, Types: &n.Types}, false)
	faults := clients.Faults(err)
	if len(faults) == 0 {
		return nil, err
	}
	page, err := h.webhookPage(ctx, w, form)
	if err == nil {
		page.Problem, page.Detail = "console.webhook_invalid", faults[0].Error()
	}
	return page, err
}

// outdatedWebhook shows a target as it is now.
func (h *Handlers) outdatedWebhook(ctx context.Context, w *storage.Webhook) (*panel.Page, error) {
	page, err := h.showWebhook(ctx, url.Values{"id": {w.ID.String()}})
	if err == nil {
		page.Problem = "console.outdated"
	}
	return page, err
}

// rotateWebhook shows the new secret, once.
func (h *Handlers) rotateWebhook(ctx context.Context, w *storage.Webhook, form url.Values) (*panel.Page, error) {
	old, err := kept(form)
	if err != nil {
		return nil, err
	}
	_, secret, err := h.Webhooks.RotateSecret(ctx, w, old, false)
	if err != nil {
		return nil, err
	}
	page, err := h.showWebhook(ctx, form)
	if err == nil {
		page.Notice, page.Secrets = "console.done.webhook_rotated", webhookSecret(secret)
	}
	return page, err
}

// testWebhook sends a test, and shows what came of it.
func (h *Handlers) testWebhook(ctx context.Context, w *storage.Webhook) (*panel.Page, error) {
	outcome, err := h.Webhooks.Test(ctx, w)
	if err != nil {
		return nil, err
	}
	page, err := h.showWebhook(ctx, url.Values{"id": {w.ID.String()}})
	if err != nil {
		return nil, err
	}
	if outcome.Delivered {
		page.Notice, page.Detail = "console.done.tested", fmt.Sprintf("%d, %d ms", outcome.Status, outcome.Milliseconds)
	} else {
		page.Problem, page.Detail = "console.test_failed", outcome.Error
	}
	return page, nil
}

// removeWebhook removes a target, after it has asked.
func (h *Handlers) removeWebhook(ctx context.Context, row *storage.Webhook, form url.Values) (*panel.Page, string, error) {
	if form.Get("confirm") != "" {
		err := h.Webhooks.Remove(ctx, row)
		if errors.Is(err, storage.ErrNotFound) {
			err = nil // another operator was faster
		}
		return nil, address(WebhooksPath, "done", "removed"), err
	}
	w, err := h.Webhooks.Describe(ctx, row)
	if err != nil {
		return nil, "", err
	}
	again := act(WebhookPath, w.ID, "remove", "console.remove_webhook")
	again.Hidden = append(again.Hidden, panel.Input{Name: "confirm", Value: "1"})
	return &panel.Page{Active: panel.Webhooks, Heading: "console.webhook", Subject: w.Name, Sections: []panel.Section{{
		Heading: "console.remove_webhook_title", Text: "console.remove_webhook_text", Forms: []panel.Form{again},
		Facts: []panel.Fact{{Name: "console.url", Value: panel.Code(w.URL)}, {Name: "console.waiting", Value: count(int64(w.Deliveries.Waiting))}},
	}}}, "", nil
}
