package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/keys"
	"latchkey/storage"
)

type clientCmd struct {
	Add          clientAddCmd          `cmd:"" help:"Register a client; its secret is shown this once."`
	List         clientListCmd         `cmd:"" help:"List the clients."`
	Show         clientShowCmd         `cmd:"" help:"Show a client."`
	Update       clientUpdateCmd       `cmd:"" help:"Change what is given; an empty value goes back to the default."`
	RotateSecret clientRotateSecretCmd `cmd:"" help:"Give a client a new secret, shown this once."`
	Disable      clientDisableCmd      `cmd:"" help:"Refuse a client from now on and end its sessions."`
	Enable       clientEnableCmd       `cmd:"" help:"Let a client ask for tokens again."`
	Remove       clientRemoveCmd       `cmd:"" help:"Remove a client and end its sessions."`
}

// registryOf makes the registry over the database. Without a root it can list and not make secrets.
func (a *app) registryOf(store storage.Store, root *keys.Root) *registry.Registry {
	cfg := registry.Config{Store: store, Now: a.now, Size: 1}
	if root != nil {
		cfg.MACKeys = root.Derive("client secrets")
	}
	return registry.New(cfg)
}

// registry opens the database and the registry over it.
func (a *app) registry(ctx context.Context) (*registry.Registry, *opened, error) {
	root, err := a.root()
	if err != nil {
		return nil, nil, err
	}
	store, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	return a.registryOf(store, root), store, nil
}

// explainClient says what an operator can do about it.
func explainClient(err error, id string) error {
	if wrong := clients.Faults(err); len(wrong) > 0 {
		var found faults
		for _, w := range wrong {
			found = append(found, fault{flagOf(w.Field), "can't be used: " + w.Description, "Nothing was changed."})
		}
		return found
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no client %q. `latchkey client list` shows them", id)
	case errors.Is(err, storage.ErrConflict):
		return fmt.Errorf("client %q is being changed by someone else. Try again", id)
	case errors.Is(err, registry.ErrNoSecret):
		return fmt.Errorf("client %q has no secret: it is public, or authenticates with a key of its own (token_endpoint_auth_method)", id)
	}
	return err
}

// setDuration parses the value of a flag.
func setDuration(into *clients.Duration, flag, given string) faults {
	d, err := clients.ParseDuration(given)
	if err != nil {
		return faults{{fmt.Sprintf("%s: %q", flag, given), "is not a duration", durationMend}}
	}
	*into = d
	return nil
}

type clientAddCmd struct {
	clientFlags
	ClientID string       `name:"client-id" group:"Metadata:" help:"The client's id; one is drawn otherwise." placeholder:"ID"`
	JSON     bool         `help:"Print JSON, which this command always does."`
	Options  kong.Plugins `embed:""`
}

func (c *clientAddCmd) Run(ctx context.Context, a *app) error {
	reg := clients.Registration{ID: c.ClientID, Actor: "operator"}
	if found := c.apply(&reg); found != nil {
		return found
	}
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	client, secret, err := registry.Add(ctx, reg)
	if errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("there is a client %q already. Choose another --client-id, or change that one with `latchkey client update`", c.ClientID)
	}
	if err != nil {
		return explainClient(err, c.ClientID)
	}
	return a.printJSON(client.Response(secret))
}

type clientListCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientListCmd) Run(ctx context.Context, a *app) error {
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	headings := []string{"CLIENT ID", "NAME", "TYPE", "GRANT TYPES", "STATE", "ORIGIN", "CREATED"}
	l := listing(a, c.JSON, "clients", headings, clientRow)
	after := ""
	for {
		page, err := registry.List(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, client := range page {
			if err := l.add(shownClient{client.Response(""), client}); err != nil {
				return err
			}
			after = client.ID
		}
		if len(page) < pageSize {
			return l.end()
		}
	}
}

// shownClient is the registration response of a client together with the client.
type shownClient struct {
	clients.RegistrationResponse
	client *clients.Client
}

func clientRow(c shownClient) []string {
	kind, state := "confidential", "enabled"
	if c.client.Public() {
		kind = "public"
	}
	if c.Disabled {
		state = "disabled"
	}
	origin := string(c.client.Origin)
	if c.client.Unverified() {
		origin += ", unverified"
	}
	return []string{c.ClientID, c.ClientName, kind, strings.Join(c.GrantTypes, " "), state, origin, when(c.client.CreatedAt)}
}

// showClient prints one client, with its secret when there is one to show.
func (a *app) showClient(client *clients.Client, secret storage.Secret, asJSON bool) error {
	shown := client.Response(secret)
	if asJSON {
		return a.printJSON(shown)
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return err
	}
	t := a.table("NAME", "VALUE")
	d := json.NewDecoder(bytes.NewReader(text))
	d.Token() // the brace
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		t.row(name.(string), cell(value))
	}
	return t.flush()
}

// cell shows a JSON value in a table: text without its quotes, a list of texts as words.
func cell(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var texts []string
	if json.Unmarshal(value, &texts) == nil {
		return strings.Join(texts, " ")
	}
	return string(value)
}

// clientID is the argument that names a client.
type clientID struct {
	ID string `arg:"" name:"client-id" help:"The client's id."`
}

// withClient opens the registry, does something to the client, and shows what came of it.
func (a *app) withClient(ctx context.Context, id string, act func(*registry.Registry) error, show func(*clients.Client) error) error {
	registry, store, err := a.registry(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	before, err := registry.Client(ctx, id)
	if err != nil {
		return explainClient(err, id)
	}
	if err := act(registry); err != nil {
		return explainClient(err, id)
	}
	after, err := registry.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		after, err = before, nil // removed
	}
	if err != nil {
		return err
	}
	return show(after)
}

type clientShowCmd struct {
	clientID
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientShowCmd) Run(ctx context.Context, a *app) error {
	nothing := func(*registry.Registry) error { return nil }
	return a.withClient(ctx, c.ID, nothing, func(client *clients.Client) error { return a.showClient(client, "", c.JSON) })
}

type clientUpdateCmd struct {
	clientID
	clientFlags
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientUpdateCmd) Run(ctx context.Context, a *app) error {
	update := func(r *registry.Registry) error {
		_, err := r.Update(ctx, c.ID, func(reg *clients.Registration) error {
			if found := c.apply(reg); found != nil {
				return found
			}
			return nil
		})
		return err
	}
	return a.withClient(ctx, c.ID, update, func(client *clients.Client) error { return a.showClient(client, "", c.JSON) })
}

type clientRotateSecretCmd struct {
	clientID
	KeepOld string       `default:"0s" help:"How long the present secret stays good beside the new one." placeholder:"DURATION"`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientRotateSecretCmd) Run(ctx context.Context, a *app) error {
	var keep clients.Duration
	if wrong := setDuration(&keep, "--keep-old", c.KeepOld); wrong != nil {
		return wrong
	}
	var secret storage.Secret
	rotate := func(r *registry.Registry) (err error) {
		secret, err = r.RotateSecret(ctx, c.ID, keep.Std())
		return err
	}
	return a.withClient(ctx, c.ID, rotate, func(client *clients.Client) error { return a.showClient(client, secret, c.JSON) })
}

type clientDisableCmd struct {
	clientID
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientDisableCmd) Run(ctx context.Context, a *app) error {
	disable := func(r *registry.Registry) error { return r.SetDisabled(ctx, c.ID, true) }
	return a.withClient(ctx, c.ID, disable, func(client *clients.Client) error {
		return a.confirm(c.JSON, client.Response(""), "client %s is disabled; its sessions have ended", client.ID)
	})
}

type clientEnableCmd struct {
	clientID
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientEnableCmd) Run(ctx context.Context, a *app) error {
	enable := func(r *registry.Registry) error { return r.SetDisabled(ctx, c.ID, false) }
	return a.withClient(ctx, c.ID, enable, func(client *clients.Client) error {
		return a.confirm(c.JSON, client.Response(""), "client %s is enabled", client.ID)
	})
}

type clientRemoveCmd struct {
	clientID
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *clientRemoveCmd) Run(ctx context.Context, a *app) error {
	remove := func(r *registry.Registry) error { return r.Remove(ctx, c.ID) }
	return a.withClient(ctx, c.ID, remove, func(client *clients.Client) error {
		return a.confirm(c.JSON, client.Response(""), "client %s is removed; its sessions have ended", client.ID)
	})
}
