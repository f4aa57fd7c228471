package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/server/oauth"
	"latchkey/storage"
)

type resourceCmd struct {
	Add    resourceAddCmd    `cmd:"" help:"Add a protected resource."`
	List   resourceListCmd   `cmd:"" help:"List the protected resources."`
	Remove resourceRemoveCmd `cmd:"" help:"Remove a protected resource; tokens for it live until they end."`
}

// resource is a protected resource as the commands print it.
type resource struct {
	Resource  string    `json:"resource"`
	Name      string    `json:"name"`
	Scope     []string  `json:"scope"`
	CreatedAt time.Time `json:"created_at"`
}

func describeResource(r *storage.Resource) resource {
	return resource{r.Identifier, r.Name, append([]string{}, r.Scopes...), r.CreatedAt}
}

type resourceAddCmd struct {
	URI     string       `arg:"" name:"uri" help:"The resource's identifier: an absolute URI without a fragment (RFC 8707)."`
	Name    string       `help:"Name that people see." placeholder:"NAME"`
	Scope   []string     `sep:"none" help:"Scopes that make sense there, space separated." placeholder:"SCOPES"`
	JSON    bool         `help:"Print JSON, which this command always does."`
	Options kong.Plugins `embed:""`
}

func (c *resourceAddCmd) Run(ctx context.Context, a *app) error {
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	added, err := a.registryOf(store, nil).AddResource(ctx, storage.Resource{
		Identifier: c.URI, Name: c.Name, Scopes: strings.Fields(strings.Join(c.Scope, " ")),
	})
	var wrong *clients.MetadataError
	switch {
	case errors.Is(err, storage.ErrExists):
		return fmt.Errorf("there is a resource %q already. To change it, remove it and add it again", c.URI)
	case errors.As(err, &wrong):
		return faults{{"the " + wrong.Field, "can't be used: " + wrong.Description, "Nothing was changed."}}
	case err != nil:
		return err
	}
	// RFC 8707 compares as text, and the URL class of browsers and Node writes a slash where there is no path.
	if u, err := url.Parse(added.Identifier); err == nil && u.Path == "" && u.RawQuery == "" && strings.HasPrefix(u.Scheme, "http") {
		fmt.Fprintf(a.stderr, "latchkey: many clients write this resource %s/, with a slash, which is another one. Add that one in its place if they use it.\n", added.Identifier)
	}
	document := oauth.ResourceMetadataURL(a.settings.server.Issuer, added.Identifier)
	return a.printJSON(addedResource{
		resource: describeResource(added), Metadata: document,
		WWWAuthenticate: fmt.Sprintf("Bearer resource_metadata=%q", document),
	})
}

// addedResource is a new resource with what its server needs to send clients here (RFC 9728 §5.1).
type addedResource struct {
	resource
	// Metadata is where its document is, for a server of this --issuer.
	Metadata string `json:"resource_metadata"`
	// WWWAuthenticate is the header to refuse requests without a good token with.
	WWWAuthenticate string `json:"www_authenticate"`
}

type resourceListCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *resourceListCmd) Run(ctx context.Context, a *app) error {
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	all, err := store.ListResources(ctx)
	if err != nil {
		return err
	}
	l := listing(a, c.JSON, "resources", []string{"RESOURCE", "NAME", "SCOPE", "CREATED"}, func(r resource) []string {
		return []string{r.Resource, r.Name, strings.Join(r.Scope, " "), when(r.CreatedAt)}
	})
	for _, r := range all {
		if err := l.add(describeResource(r)); err != nil {
			return err
		}
	}
	return l.end()
}

type resourceRemoveCmd struct {
	URI     string       `arg:"" name:"uri" help:"The resource's identifier."`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *resourceRemoveCmd) Run(ctx context.Context, a *app) error {
	store, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	err = a.registryOf(store, nil).RemoveResource(ctx, c.URI)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("there is no resource %q. `latchkey resource list` shows them", c.URI)
	}
	if err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]string{"resource": c.URI}, "resource %s is removed", c.URI)
}
