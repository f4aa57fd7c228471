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

// webhookAdmin is what commands do with webhooks. An *admin.API is one, and localWebhooks on the database.
type webhookAdmin interface {
	Webhooks(ctx context.Context) iter.Seq2[admin.Webhook, error]
	Webhook(ctx context.Context, id string, o ...admin.Option) (*admin.Webhook, error)
	AddWebhook(ctx context.Context, n admin.NewWebhook, o ...admin.Option) (*admin.Webhook, error)
	UpdateWebhook(ctx context.Context, id string, change admin.WebhookChange, o ...admin.Option) (*admin.Webhook, error)
	RotateWebhookSecret(ctx context.Context, id string, r admin.SecretRotation, o ...admin.Option) (*admin.Webhook, error)
	TestWebhook(ctx context.Context, id string) (*admin.WebhookTest, error)
	RemoveWebhook(ctx context.Context, id string, o ...admin.Option) (*admin.Webhook, error)
}

// webhooks returns what changes webhooks.
func (a *app) webhooks(ctx context.Context) (webhookAdmin, error) {
	if a.remote() {
		return a.api(ctx)
	}
	cfg := a.settings.Server
	var err error
	if cfg.Store, err = a.open(ctx); err != nil {
		return nil, err
	}
	if cfg.Root, err = a.root(ctx, a.store); err != nil {
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
		return nil, err
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

func (l localWebhooks) Webhooks(ctx context.Context) iter.Seq2[admin.Webhook, error] {
	return func(yield func(admin.Webhook, error) bool) {
		all, err := l.service.List(ctx)
		if err != nil {
			yield(admin.Webhook{}, err)
			return
		}
		mapped(each(all), func(w *storage.Webhook) (admin.Webhook, error) { return l.service.Describe(ctx, w) })(yield)
	}
}

func (l localWebhooks) Webhook(ctx context.Context, id string, _ ...admin.Option) (*admin.Webhook, error) {
	w, err := l.find(ctx, id)
	return l.shown(ctx, w, "", err)
}

func (l localWebhooks) AddWebhook(ctx context.Context, n admin.NewWebhook, _ ...admin.Option) (*admin.Webhook, error) {
	w, secret, err := l.service.Add(ctx, n, false)
	return l.shown(ctx, w, secret, err)
}

func (l localWebhooks) UpdateWebhook(ctx context.Context, id string, change admin.WebhookChange, _ ...admin.Option) (*admin.Webhook, error) {
	w, err := l.find(ctx, id)
	if err == nil {
		w, err = l.service.Update(ctx, w, change, false)
	}
	return l.shown(ctx, w, "", err)
}

func (l localWebhooks) RotateWebhookSecret(ctx context.Context, id string, r admin.SecretRotation, _ ...admin.Option) (*admin.Webhook, error) {
	keepOld, err := clients.ParseDuration(r.KeepOld)
	if err != nil {
		return nil, err
	}
	w, err := l.find(ctx, id)
	var secret storage.Secret
	if err == nil {
		w, secret, err = l.service.RotateSecret(ctx, w, keepOld.Std(), false)
	}
	return l.shown(ctx, w, secret, err)
}

func (l localWebhooks) TestWebhook(ctx context.Context, id string) (*admin.WebhookTest, error) {
	w, err := l.find(ctx, id)
	if err != nil {
		return nil, err
	}
	tried, err := l.service.Test(ctx, w)
	return &tried, err
}

func (l localWebhooks) RemoveWebhook(ctx context.Context, id string, _ ...admin.Option) (*admin.Webhook, error) {
	w, err := l.find(ctx, id)
	if err == nil {
		err = l.service.Remove(ctx, w)
	}
	return nil, err
}
