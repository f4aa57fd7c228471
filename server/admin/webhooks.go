package admin

import (
	"context"
	"errors"
	"net/http"

	wire "latchkey/admin"
	"latchkey/server/webhooks"
	"latchkey/storage"
)

// webhookRoutes declares the operations on the targets of events.
func (a *API) webhookRoutes() {
	const all, one = "/webhooks", "/webhooks/{id}"
	register(a, op("list-webhooks", http.MethodGet, all, scopeWebhooksRead, "List the targets that events are delivered to"), a.listWebhooks)
	register(a, creation("add-webhook", all, scopeWebhooksWrite, "Add a target for events (Standard Webhooks); its secret is only in this answer"), a.addWebhook)
	register(a, op("show-webhook", http.MethodGet, one, scopeWebhooksRead, "Show a target, and how its deliveries go", http.StatusNotFound), a.showWebhook)
	register(a, change("update-webhook", http.MethodPatch, one, scopeWebhooksWrite, "Change, disable or enable a target"), a.updateWebhook)
	register(a, change("rotate-webhook-secret", http.MethodPost, one+"/secret", scopeWebhooksWrite,
		"Replace the secret of a target; the new one is only in this answer"), a.rotateWebhookSecret)
	register(a, op("test-webhook", http.MethodPost, one+"/test", scopeWebhooksWrite,
		"Send an event of the type ping, once, and wait for the answer", http.StatusNotFound), a.testWebhook)
	register(a, change("remove-webhook", http.MethodDelete, one, scopeWebhooksWrite, "Remove a target, with the deliveries that wait for it"), a.removeWebhook)
}

// WebhookPath is the parameter that names a target.
type WebhookPath struct {
	ID string `path:"id" format:"uuid" doc:"The id of the target."`
}

// shownWebhook is the answer with one target.
type shownWebhook = tagged[wire.Webhook]

// etagOfWebhook returns the entity tag of a target: how its deliveries go changes all the time, and is no part of it.
func etagOfWebhook(w wire.Webhook) string {
	w.Secret, w.Deliveries = "", wire.WebhookDeliveries{}
	return etag(w)
}

func (a *API) answerWebhook(ctx context.Context, w *storage.Webhook, secret storage.Secret) (*shownWebhook, error) {
	body, err := a.Webhooks.Describe(ctx, w)
	body.Secret = secret.Reveal()
	return &shownWebhook{etagOfWebhook(body), body}, err
}

func (a *API) listWebhooks(ctx context.Context, in *struct{ Paging }) (*listed[wire.Webhook], error) {
	key := func(w *storage.Webhook) string { return w.ID.String() }
	read := func(after string, limit int) ([]*storage.Webhook, error) {
		all, err := a.Webhooks.List(ctx)
		return part(all, key, after, limit), err
	}
	view := func(w *storage.Webhook) (wire.Webhook, error) { return a.Webhooks.Describe(ctx, w) }
	return list(a, in.Paging, struct{ Webhooks bool }{}, read, key, view)
}

func (a *API) addWebhook(ctx context.Context, in *adding[wire.NewWebhook]) (*created[wire.Webhook], error) {
	return maker[wire.Webhook]{
		kind: "webhook", noun: "webhook", path: "/webhooks/", tag: etagOfWebhook,
		id: func(w wire.Webhook) string { return w.ID },
		create: func(ctx context.Context) (wire.Webhook, error) {
			w, secret, err := a.Webhooks.Add(ctx, in.Body, in.DryRun)
			if errors.Is(err, storage.ErrLimit) {
				err = refusal(http.StatusTooManyRequests, "", "There are %d webhooks already, as many as there may be. Remove one first.", webhooks.MaxTargets)
			}
			if err != nil {
				return wire.Webhook{}, err
			}
			out, err := a.answerWebhook(ctx, w, secret)
			return out.Body, err
		},
		read: func(ctx context.Context, id string) (wire.Webhook, error) {
			w, err := a.webhook(ctx, id)
			if err != nil {
				return wire.Webhook{}, err
			}
			return a.Webhooks.Describe(ctx, w)
		},
	}.do(ctx, a, in.Creation, in.Body)
}

// webhook returns a target.
func (a *API) webhook(ctx context.Context, id string) (*storage.Webhook, error) {
	return byID(ctx, "webhook", id, a.Webhooks.Find)
}

// foundWebhook returns the target of a conditional request.
func (a *API) foundWebhook(ctx context.Context, id string, cond Conditional) (*storage.Webhook, error) {
	w, err := a.webhook(ctx, id)
	if err != nil {
		return nil, err
	}
	shown, err := a.Webhooks.Describe(ctx, w)
	if err != nil {
		return nil, err
	}
	return w, cond.check(etagOfWebhook(shown))
}

func (a *API) showWebhook(ctx context.Context, in *struct{ WebhookPath }) (*shownWebhook, error) {
	w, err := a.webhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.answerWebhook(ctx, w, "")
}

// changeWebhook makes a change of the target that a conditional request is about. One that says * is made again where another was faster.
func (a *API) changeWebhook(ctx context.Context, id string, cond Conditional,
	change func(w *storage.Webhook) (*storage.Webhook, storage.Secret, error),
) (*shownWebhook, error) {
	for attempt := 1; ; attempt++ {
		w, err := a.foundWebhook(ctx, id, cond)
		if err != nil {
			return nil, err
		}
		w, secret, err := change(w)
		switch {
		case err == nil:
			return a.answerWebhook(ctx, w, secret)
		case !isConflict(err):
			return nil, err
		case !cond.any():
			return nil, errChanged()
		case attempt == 5:
			return nil, err
		}
	}
}

func (a *API) updateWebhook(ctx context.Context, in *struct {
	WebhookPath
	Conditional
	Body wire.WebhookChange
},
) (*shownWebhook, error) {
	return a.changeWebhook(ctx, in.ID, in.Conditional, func(w *storage.Webhook) (*storage.Webhook, storage.Secret, error) {
		w, err := a.Webhooks.Update(ctx, w, in.Body, in.DryRun)
		return w, "", err
	})
}

func (a *API) rotateWebhookSecret(ctx context.Context, in *struct {
	WebhookPath
	Conditional
	Body wire.SecretRotation
},
) (*shownWebhook, error) {
	keep, err := keepOld(in.Body, webhooks.MaxKeepOld)
	if err != nil {
		return nil, err
	}
	return a.changeWebhook(ctx, in.ID, in.Conditional, func(w *storage.Webhook) (*storage.Webhook, storage.Secret, error) {
		return a.Webhooks.RotateSecret(ctx, w, keep, in.DryRun)
	})
}

func (a *API) removeWebhook(ctx context.Context, in *struct {
	WebhookPath
	Conditional
},
) (*shownWebhook, error) {
	w, err := a.foundWebhook(ctx, in.ID, in.Conditional)
	if err != nil {
		return nil, err
	}
	out, err := a.answerWebhook(ctx, w, "")
	if err != nil || in.DryRun {
		return out, err
	}
	return out, a.Webhooks.Remove(ctx, w)
}

func (a *API) testWebhook(ctx context.Context, in *struct{ WebhookPath }) (*shown[wire.WebhookTest], error) {
	w, err := a.webhook(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	outcome, err := a.Webhooks.Test(ctx, w)
	return &shown[wire.WebhookTest]{outcome}, err
}
