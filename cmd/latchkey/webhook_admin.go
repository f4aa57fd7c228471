package main

import (
	"context"
	"iter"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/webhooks"
	"latchkey/storage"
)

// webhookAdmin is what commands do with webhooks: localWebhooks on the database, remoteWebhooks through a server.
type webhookAdmin interface {
	All(ctx context.Context) iter.Seq2[admin.Webhook, error]
	Show(ctx context.Context, id string) (*admin.Webhook, error)
	Add(ctx context.Context, n admin.NewWebhook) (*admin.Webhook, error)
	Update(ctx context.Context, id string, change admin.WebhookChange) (*admin.Webhook, error)
	RotateSecret(ctx context.Context, id string, keepOld clients.Duration) (*admin.Webhook, error)
	Remove(ctx context.Context, id string) error
	Test(ctx context.Context, id string) (*admin.WebhookTest, error)
}

// webhooks returns what changes webhooks.
func (a *app) webhooks(ctx context.Context) (webhookAdmin, error) {
	if a.remote() {
		api, err := a.api(ctx)
		return remoteWebhooks{api}, err
	}
	cfg := a.settings.Server
	var err error
	if cfg.Root, err = a.settings.Root(); err != nil {
		return nil, err
	}
	if cfg.Store, err = a.open(ctx); err != nil {
		return nil, err
	}
	cfg.Logger, cfg.Now = a.logger(), a.now
	service, err := server.NewWebhooks(cfg)
	return localWebhooks{service}, err
}

type localWebhooks struct{ service *webhooks.Service }

func (l localWebhooks) find(ctx context.Context, id string) (*storage.Webhook, error) {
	parsed, err := storage.ParseID(id)
	if err != nil {
		return nil, storage.ErrNotFound
	}
	return l.service.Find(ctx, parsed)
}

func (l localWebhooks) shown(ctx context.Context, w *storage.Webhook, secret storage.Secret, err error) (*admin.Webhook, error) {
	if err != nil {
		return nil, err
	}
	out, err := l.service.Describe(ctx, w)
	out.Secret = secret.Reveal()
	return &out, err
}

func (l localWebhooks) All(ctx context.Context) iter.Seq2[admin.Webhook, error] {
	return func(yield func(admin.Webhook, error) bool) {
		all, err := l.service.List(ctx)
		if err != nil {
			yield(admin.Webhook{}, err)
			return
		}
		mapped(each(all), func(w *storage.Webhook) (admin.Webhook, error) { return l.service.Describe(ctx, w) })(yield)
	}
}

func (l localWebhooks) Show(ctx context.Context, id string) (*admin.Webhook, error) {
	w, err := l.find(ctx, id)
	return l.shown(ctx, w, "", err)
}

func (l localWebhooks) Add(ctx context.Context, n admin.NewWebhook) (*admin.Webhook, error) {
	w, secret, err := l.service.Add(ctx, n, false)
	return l.shown(ctx, w, secret, err)
}

func (l localWebhooks) Update(ctx context.Context, id string, change admin.WebhookChange) (*admin.Webhook, error) {
	w, err := l.find(ctx, id)
	if err == nil {
		w, err = l.service.Update(ctx, w, change, false)
	}
	return l.shown(ctx, w, "", err)
}

func (l localWebhooks) RotateSecret(ctx context.Context, id string, keepOld clients.Duration) (*admin.Webhook, error) {
	w, err := l.find(ctx, id)
	var secret storage.Secret
	if err == nil {
		w, secret, err = l.service.RotateSecret(ctx, w, keepOld.Std(), false)
	}
	return l.shown(ctx, w, secret, err)
}

func (l localWebhooks) Remove(ctx context.Context, id string) error {
	w, err := l.find(ctx, id)
	if err != nil {
		return err
	}
	return l.service.Remove(ctx, w)
}

func (l localWebhooks) Test(ctx context.Context, id string) (*admin.WebhookTest, error) {
	w, err := l.find(ctx, id)
	if err != nil {
		return nil, err
	}
	tried, err := l.service.Test(ctx, w)
	return &tried, err
}

type remoteWebhooks struct{ api *admin.API }

func (r remoteWebhooks) All(ctx context.Context) iter.Seq2[admin.Webhook, error] {
	return mapped(r.api.Webhooks(ctx), same[admin.Webhook])
}

func explained[T any](v *T, err error) (*T, error) { return v, explainRemoteClient(err) }

// checkWebhookID returns storage.ErrNotFound for what can't be the id of a webhook.
func checkWebhookID(id string) error {
	if _, err := storage.ParseID(id); err != nil {
		return storage.ErrNotFound
	}
	return nil
}

func (r remoteWebhooks) Show(ctx context.Context, id string) (*admin.Webhook, error) {
	if err := checkWebhookID(id); err != nil {
		return nil, err
	}
	return explained(r.api.Webhook(ctx, id))
}

func (r remoteWebhooks) Add(ctx context.Context, n admin.NewWebhook) (*admin.Webhook, error) {
	return explained(r.api.AddWebhook(ctx, n))
}

func (r remoteWebhooks) Update(ctx context.Context, id string, change admin.WebhookChange) (*admin.Webhook, error) {
	if err := checkWebhookID(id); err != nil {
		return nil, err
	}
	return explained(r.api.UpdateWebhook(ctx, id, change))
}

func (r remoteWebhooks) RotateSecret(ctx context.Context, id string, keepOld clients.Duration) (*admin.Webhook, error) {
	if err := checkWebhookID(id); err != nil {
		return nil, err
	}
	return explained(r.api.RotateWebhookSecret(ctx, id, admin.SecretRotation{KeepOld: keepOld.String()}))
}

func (r remoteWebhooks) Remove(ctx context.Context, id string) error {
	if err := checkWebhookID(id); err != nil {
		return err
	}
	_, err := explained(r.api.RemoveWebhook(ctx, id))
	return err
}

func (r remoteWebhooks) Test(ctx context.Context, id string) (*admin.WebhookTest, error) {
	if err := checkWebhookID(id); err != nil {
		return nil, err
	}
	return explained(r.api.TestWebhook(ctx, id))
}
