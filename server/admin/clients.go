package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	wire "latchkey/admin"
	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/trail"
	"latchkey/storage"
)

// clientRoutes declares the operations on clients.
func (a *API) clientRoutes() {
	const one = "/clients/{id}"
	register(a, op("list-clients", http.MethodGet, "/clients", scopeClientsRead, "List clients"), a.listClients)
	register(a, creation("add-client", "/clients", scopeClientsWrite, "Register a client; its secret is only in this answer"), a.addClient)
	register(a, op("show-client", http.MethodGet, one, scopeClientsRead, "Show a client", http.StatusNotFound), a.showClient)
	update := change("update-client", http.MethodPatch, one, scopeClientsWrite, "Change metadata and policies of a client")
	update.Description = "A JSON merge patch (RFC 7396): null restores a default, members that are absent stay as they are. Sessions go on."
	register(a, update, a.updateClient)
	register(a, change("remove-client", http.MethodDelete, one, scopeClientsWrite, "Remove a client and end its sessions"), a.removeClient)
	register(a, change("disable-client", http.MethodPost, one+"/disable", scopeClientsWrite, "Disable a client and end its sessions"), a.disableClient)
	register(a, change("enable-client", http.MethodPost, one+"/enable", scopeClientsWrite, "Enable a client, which can then request tokens again"), a.enableClient)
	register(a, change("rotate-secret", http.MethodPost, one+"/secret", scopeClientsWrite, "Replace the secret of a client; the new one is only in this answer"), a.rotateSecret)
	register(a, op("list-refusals", http.MethodGet, one+"/refusals", scopeClientsRead, "Show why requests of a client were refused last, and what to do about it",
		http.StatusNotFound), a.listRefusals)
}

// ClientPath is the parameter that names a client.
type ClientPath struct {
	ID string `path:"id" maxLength:"2048" doc:"The client_id, percent-encoded."`
}

// shownClient is the answer with one client.
type shownClient = tagged[clientBody]

// clientBody is a client with its metadata and policies.
type clientBody struct {
	clients.RegistrationResponse
	wire.ClientState
	tag string
}

func viewClient(c *clients.Client) clientBody {
	body := clientBody{
		RegistrationResponse: c.Response(""),
		ClientState:          wire.ClientState{Origin: string(c.Origin), HasSecret: c.HasSecret(), CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt},
		// The version counts every change; another client may get the same id later.
		tag: etag([]any{c.ID, c.Version, c.CreatedAt}),
	}
	if !c.PreviousSecretExpiresAt.IsZero() {
		body.OldSecretExpiresAt = &c.PreviousSecretExpiresAt
	}
	if !c.ExpiresAt.IsZero() {
		body.ExpiresAt = &c.ExpiresAt
	}
	return body
}

// ClientFilters are the parameters that select clients.
type ClientFilters struct {
	Search   string `query:"search" maxLength:"255" doc:"Clients whose id or name contains this, in lower or upper case."`
	Origin   string `query:"origin" enum:"operator,registration,document" doc:"Who registered them."`
	Disabled string `query:"disabled" enum:"true,false" doc:"Whether they are disabled."`
	Verified string `query:"verified" enum:"true,false" doc:"Whether an operator vouches for them."`
}

func (f *ClientFilters) match(c *clients.Client) bool {
	search := strings.ToLower(f.Search)
	is := func(want string, got bool) bool { return want == "" || want == fmt.Sprint(got) }
	return (strings.Contains(strings.ToLower(c.ID), search) || strings.Contains(strings.ToLower(c.ClientName), search)) &&
		(f.Origin == "" || f.Origin == string(c.Origin)) && is(f.Disabled, c.Disabled) && is(f.Verified, c.Verified())
}

func (a *API) listClients(ctx context.Context, in *struct {
	ClientFilters
	Paging
},
) (*listed[clientBody], error) {
	id := func(c *clients.Client) string { return c.ID }
	read := func(after string, limit int) (found []*clients.Client, err error) {
		all := storage.Pages(id, func(last string) ([]*clients.Client, error) {
			return a.Clients.List(ctx, cmp.Or(last, after), storage.PageSize)
		})
		for c, err := range all {
			if err != nil {
				return nil, err
			}
			if in.match(c) {
				found = append(found, c)
			}
			if len(found) == limit {
				break
			}
		}
		return found, nil
	}
	return list(a, in.Paging, in.ClientFilters, read, id, plain(viewClient))
}

// registry returns the registry that makes changes, or that only checks them.
func (a *API) registry(dry bool) *registry.Registry {
	if dry {
		return a.DryClients
	}
	return a.Clients
}

func (a *API) addClient(ctx context.Context, in *adding[newClient]) (*created[clientBody], error) {
	return maker[clientBody]{
		kind: "client", noun: "client", path: "/clients/",
		id:  func(c clientBody) string { return c.ClientID },
		tag: func(c clientBody) string { return c.tag },
		create: func(ctx context.Context) (clientBody, error) {
			if err := mayGive(ctx, in.Body.Scope); err != nil {
				return clientBody{}, err
			}
			c, secret, err := a.registry(in.DryRun).Add(ctx, clients.Registration{ID: in.Body.ClientID, Metadata: in.Body.Metadata, Policy: in.Body.Policy})
			if err != nil {
				return clientBody{}, err
			}
			body := viewClient(c)
			if !in.DryRun {
				body.RegistrationResponse = c.Response(secret)
			}
			return body, nil
		},
		read: func(ctx context.Context, id string) (clientBody, error) {
			c, err := a.client(ctx, id)
			if err != nil {
				return clientBody{}, err
			}
			return viewClient(c), nil
		},
	}.do(ctx, a, in.Creation, in.Body)
}

// client reads a client from the database: what is in memory may be a second old.
func (a *API) client(ctx context.Context, id string) (*clients.Client, error) {
	if !clients.ValidID(id) {
		return nil, errNotFound("client")
	}
	row, err := a.Store.Client(ctx, id)
	if err != nil {
		return nil, orNotFound(err, "client")
	}
	return clients.FromRow(row)
}

func answerClient(c *clients.Client, err error) (*shownClient, error) {
	if err != nil {
		return nil, err
	}
	body := viewClient(c)
	return &shownClient{body.tag, body}, nil
}

func (a *API) showClient(ctx context.Context, in *struct{ ClientPath }) (*shownClient, error) {
	return answerClient(a.client(ctx, in.ID))
}

// foundClient returns the client of a conditional request.
func (a *API) foundClient(ctx context.Context, id string, cond Conditional) (*clients.Client, error) {
	c, err := a.client(ctx, id)
	if err != nil {
		return nil, err
	}
	return c, cond.check(viewClient(c).tag)
}

func (a *API) updateClient(ctx context.Context, in *struct {
	ClientPath
	Conditional
	Body clientPatch `contentType:"application/merge-patch+json"`
},
) (*shownClient, error) {
	c, err := a.foundClient(ctx, in.ID, in.Conditional)
	if err != nil {
		return nil, err
	}
	return answerClient(a.registry(in.DryRun).Update(ctx, c.ID, func(r *clients.Registration) error {
		if !in.any() && r.Version != c.Version {
			return errChanged()
		}
		before := r.Scope
		if err := in.Body.apply(r); err != nil {
			return err
		}
		return mayGive(ctx, before+" "+r.Scope)
	}))
}

// ChangeClient is a request to change a client and end its sessions.
type ChangeClient struct {
	ClientPath
	Conditional
	Confirmed
}

// endingClient returns the client of a request that ends its sessions, once that is confirmed.
func (a *API) endingClient(ctx context.Context, in *ChangeClient) (*clients.Client, error) {
	c, err := a.foundClient(ctx, in.ID, in.Conditional)
	if err != nil {
		return nil, err
	}
	_, err = in.Confirmed.check(ctx, a, storage.GrantFilter{ClientID: c.ID})
	return c, err
}

func (a *API) removeClient(ctx context.Context, in *ChangeClient) (*shownClient, error) {
	c, err := a.endingClient(ctx, in)
	if err != nil {
		return nil, err
	}
	return answerClient(c, a.registry(in.DryRun).Remove(ctx, c.ID))
}

func (a *API) disableClient(ctx context.Context, in *ChangeClient) (*shownClient, error) {
	c, err := a.endingClient(ctx, in)
	if err != nil {
		return nil, err
	}
	return a.setDisabled(ctx, c, in.Conditional, true)
}

func (a *API) enableClient(ctx context.Context, in *struct {
	ClientPath
	Conditional
},
) (*shownClient, error) {
	c, err := a.foundClient(ctx, in.ID, in.Conditional)
	if err == nil {
		err = mayGive(ctx, c.Scope)
	}
	if err != nil {
		return nil, err
	}
	return a.setDisabled(ctx, c, in.Conditional, false)
}

// as returns what a client must still be when it is changed: what it was when If-Match was compared; nil for *.
func (c Conditional) as(read *clients.Client) *clients.Client {
	if c.any() {
		return nil
	}
	return read
}

func (a *API) setDisabled(ctx context.Context, c *clients.Client, cond Conditional, disabled bool) (*shownClient, error) {
	err := a.registry(cond.DryRun).SetDisabledIf(ctx, c.ID, cond.as(c), disabled)
	if !cond.any() && isConflict(err) {
		return nil, errChanged()
	}
	if err != nil || cond.DryRun {
		changed := *c
		changed.Disabled = disabled
		return answerClient(&changed, err)
	}
	return answerClient(a.client(ctx, c.ID))
}

func (a *API) rotateSecret(ctx context.Context, in *struct {
	ClientPath
	Conditional
	Body wire.SecretRotation
},
) (*shownClient, error) {
	c, err := a.foundClient(ctx, in.ID, in.Conditional)
	if err == nil {
		err = mayGive(ctx, c.Scope)
	}
	if err != nil {
		return nil, err
	}
	keep, err := keepOld(in.Body, registry.MaxKeepOld)
	if err != nil {
		return nil, err
	}
	secret, err := a.registry(in.DryRun).RotateSecretIf(ctx, c.ID, in.as(c), keep)
	if !in.any() && isConflict(err) {
		return nil, errChanged()
	}
	if err != nil || in.DryRun {
		return answerClient(c, err)
	}
	if c, err = a.client(ctx, c.ID); err != nil {
		return nil, err
	}
	out, err := answerClient(c, nil)
	out.Body.RegistrationResponse = c.Response(secret)
	return out, err
}

// keepOld returns how long a replaced secret stays good.
func keepOld(r wire.SecretRotation, most time.Duration) (time.Duration, error) {
	if r.KeepOld == "" {
		return 0, nil
	}
	keep, err := clients.ParseDuration(r.KeepOld)
	if err != nil || keep.Std() > most {
		return 0, clients.Invalid("keep_old", "it is not a duration from 0s to %s", clients.Duration(most))
	}
	return keep.Std(), nil
}

func (a *API) listRefusals(ctx context.Context, in *struct {
	ClientPath
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"20" doc:"The most refusals that the answer has."`
},
) (*shown[wire.Refusals], error) {
	c, err := a.client(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	found, err := trail.Refusals(ctx, a.Store, c, in.Limit)
	return &shown[wire.Refusals]{found}, err
}
