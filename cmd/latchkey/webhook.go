package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/storage"
)

type webhookCmd struct {
	Add          webhookAddCmd          `cmd:"" help:"Add a webhook; its secret is only shown this once."`
	List         webhookListCmd         `cmd:"" help:"List the webhooks."`
	Show         webhookShowCmd         `cmd:"" help:"Show a webhook, and how its deliveries go."`
	Update       webhookUpdateCmd       `cmd:"" help:"Change, disable or enable a webhook."`
	RotateSecret webhookRotateSecretCmd `cmd:"" help:"Replace the secret of a webhook; the new one is only shown this once."`
	Test         webhookTestCmd         `cmd:"" help:"Send an event of the type ping, once, and show the answer."`
	Remove       webhookRemoveCmd       `cmd:"" help:"Remove a webhook, with the deliveries that wait for it."`
}

// webhookID is the argument that names a webhook.
type webhookID struct {
	ID string `arg:"" name:"id" help:"Id of the webhook, as in the list."`
}

type webhookAddCmd struct {
	URL  string   `arg:"" name:"url" help:"Where events are sent: an https URL."`
	Name string   `help:"Name of the webhook." placeholder:"TEXT"`
	Type []string `help:"Type of events to deliver: login, login.refused, session.ended, reuse.detected, client.registered or user.changed. Repeatable; by default all." placeholder:"TYPE"`
	webhookFlags
}

func (c *webhookAddCmd) Run(ctx context.Context, a *app) error {
	a.mayCreate = true
	service, err := a.webhooks(ctx)
	if err != nil {
		return err
	}
	added, err := service.AddWebhook(ctx, admin.NewWebhook{URL: c.URL, Name: c.Name, Types: c.Type})
	if err != nil {
		return explainWebhook(err, "")
	}
	return a.printJSON(added)
}

type webhookListCmd struct{ webhookFlags }

func (c *webhookListCmd) Run(ctx context.Context, a *app) error {
	a.reading = true
	service, err := a.webhooks(ctx)
	if err != nil {
		return err
	}
	return list[admin.Webhook]{
		a, c.JSON, "webhooks",
		[]string{"ID", "NAME", "URL", "TYPES", "STATE", "WAITING", "ABANDONED", "LAST ERROR"},
		func(w admin.Webhook) []string {
			return []string{
				w.ID, w.Name, w.URL, typesOf(w), stateOf(w), strconv.Itoa(w.Deliveries.Waiting), strconv.FormatInt(w.Deliveries.Abandoned, 10), w.Deliveries.LastError,
			}
		},
	}.print(explainedList(service.Webhooks(ctx)), nil)
}

func typesOf(w admin.Webhook) string { return cmp.Or(strings.Join(w.Types, " "), "all") }

func stateOf(w admin.Webhook) string {
	switch {
	case !w.Enabled:
		return "disabled (" + w.DisabledReason + ")"
	case !w.Deliveries.FailingSince.IsZero():
		return "failing"
	}
	return "enabled"
}

// showWebhook prints one webhook.
func (a *app) showWebhook(w *admin.Webhook, asJSON bool) error {
	if asJSON || w.Secret != "" {
		return a.printJSON(w)
	}
	d, status := w.Deliveries, ""
	if d.LastStatus != 0 {
		status = strconv.Itoa(d.LastStatus)
	}
	t := newTable(a.stdout, "NAME", "VALUE")
	for _, row := range [][]string{
		{"id", w.ID},
		{"name", w.Name},
		{"url", w.URL},
		{"types", typesOf(*w)},
		{"state", stateOf(*w)},
		{"created_at", when(w.CreatedAt)},
		{"updated_at", when(w.UpdatedAt)},
		{"disabled_at", when(w.DisabledAt)},
		{"old_secret_expires_at", when(w.OldSecretExpiresAt)},
		{"waiting", strconv.Itoa(d.Waiting)},
		{"abandoned", strconv.FormatInt(d.Abandoned, 10)},
		{"last_attempt_at", when(d.LastAttemptAt)},
		{"last_success_at", when(d.LastSuccessAt)},
		{"last_status", status},
		{"last_error", d.LastError},
		{"failing_since", when(d.FailingSince)},
	} {
		t.row(row...)
	}
	return t.flush()
}

type webhookShowCmd struct {
	webhookID
	webhookFlags
}

func (c *webhookShowCmd) Run(ctx context.Context, a *app) error {
	a.reading = true
	return a.withWebhook(ctx, c.ID, c.JSON, func(s webhookAdmin) (*admin.Webhook, error) { return s.Webhook(ctx, c.ID) })
}

type webhookUpdateCmd struct {
	webhookID
	URL      *string  `name:"url" help:"Where events are sent from now on." placeholder:"URL"`
	Name     *string  `help:"Name of the webhook." placeholder:"TEXT"`
	Type     []string `help:"Type of events to deliver, in place of those that there are. Repeatable." placeholder:"TYPE" xor:"types"`
	AllTypes bool     `help:"Deliver events of all types." xor:"types"`
	Enable   bool     `help:"Deliver events again, from now on." xor:"enabled"`
	Disable  bool     `help:"Deliver no events." xor:"enabled"`
	webhookFlags
}

func (c *webhookUpdateCmd) Run(ctx context.Context, a *app) error {
	change := admin.WebhookChange{URL: c.URL, Name: c.Name}
	if len(c.Type) > 0 || c.AllTypes {
		change.Types = &c.Type
		if c.AllTypes {
			change.Types = &[]string{}
		}
	}
	if c.Enable || c.Disable {
		change.Enabled = &c.Enable
	}
	return a.withWebhook(ctx, c.ID, c.JSON, func(s webhookAdmin) (*admin.Webhook, error) { return s.UpdateWebhook(ctx, c.ID, change) })
}

type webhookRotateSecretCmd struct {
	webhookID
	KeepOld string `default:"0s" help:"How long deliveries are signed with the current secret too." placeholder:"DURATION"`
	webhookFlags
}

func (c *webhookRotateSecretCmd) Run(ctx context.Context, a *app) error {
	var keep clients.Duration
	if wrong := setDuration(&keep, "--keep-old", c.KeepOld); wrong != nil {
		return wrong
	}
	return a.withWebhook(ctx, c.ID, c.JSON, func(s webhookAdmin) (*admin.Webhook, error) {
		return s.RotateWebhookSecret(ctx, c.ID, admin.SecretRotation{KeepOld: keep.String()})
	})
}

type webhookTestCmd struct {
	webhookID
	webhookFlags
}

func (c *webhookTestCmd) Help() string {
	return "The event is sent from here, or with --server from that server. It fails unless the target answers 2xx."
}

func (c *webhookTestCmd) Run(ctx context.Context, a *app) error {
	tried, err := aboutWebhook(ctx, a, c.ID, func(s webhookAdmin) (*admin.WebhookTest, error) { return s.TestWebhook(ctx, c.ID) })
	if err != nil {
		return err
	}
	if c.JSON {
		err = a.printJSON(tried)
	} else if tried.Delivered {
		_, err = fmt.Fprintf(a.stdout, "delivered: the target has answered %d within %d ms\n", tried.Status, tried.Milliseconds)
	}
	switch {
	case err != nil || tried.Delivered:
		return err
	case c.JSON:
		return errSilent
	}
	return fmt.Errorf("the target has not taken the event: %s", printable(tried.Error))
}

type webhookRemoveCmd struct {
	webhookID
	webhookFlags
}

func (c *webhookRemoveCmd) Run(ctx context.Context, a *app) error {
	if _, err := aboutWebhook(ctx, a, c.ID, func(s webhookAdmin) (*admin.Webhook, error) { return s.RemoveWebhook(ctx, c.ID) }); err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]string{"id": c.ID}, "removed webhook %s", c.ID)
}

// withWebhook calls act and shows the webhook that results.
func (a *app) withWebhook(ctx context.Context, id string, asJSON bool, act func(webhookAdmin) (*admin.Webhook, error)) error {
	w, err := aboutWebhook(ctx, a, id, act)
	if err != nil {
		return err
	}
	return a.showWebhook(w, asJSON)
}

// aboutWebhook returns what act returns of a webhook.
func aboutWebhook[T any](ctx context.Context, a *app, id string, act func(webhookAdmin) (*T, error)) (*T, error) {
	service, err := a.webhooks(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := storage.ParseID(id); err != nil {
		return nil, explainWebhook(storage.ErrNotFound, id)
	}
	found, err := act(service)
	return found, explainWebhook(err, id)
}

// webhookSubjects name the fields of webhooks as the commands take them.
var webhookSubjects = map[string]string{"url": "the URL", "name": "--name", "types": "--type", "keep_old": "--keep-old"}

// explainWebhook returns what an error about a webhook means for the operator.
func explainWebhook(err error, id string) error {
	err = explainRemoteClient(err)
	found := faultsOf(err, func(field string) string { return webhookSubjects[field] })
	switch {
	case len(found) > 0:
		return found
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no webhook %s. List the webhooks with `latchkey webhook list`", plain(id))
	case errors.Is(err, storage.ErrLimit):
		return errors.New("there are as many webhooks already as there may be. Remove one first")
	case errors.Is(err, storage.ErrConflict):
		return errors.New("the webhook was changed by someone else at the same time. Try again")
	}
	return err
}
