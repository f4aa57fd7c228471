package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/alecthomas/kong"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/cmd/latchkey/internal/config"
	"latchkey/server/oauth"
	"latchkey/storage"
)

type resourceCmd struct {
	Add    resourceAddCmd    `cmd:"" help:"Add a protected resource."`
	List   resourceListCmd   `cmd:"" help:"List the protected resources."`
	Remove resourceRemoveCmd `cmd:"" help:"Remove a protected resource; tokens for it stay valid until they expire."`
}

type resourceAddCmd struct {
	URI     string       `arg:"" name:"uri" help:"The resource's identifier: an absolute URI without a fragment (RFC 8707)."`
	Name    string       `help:"Name that users see." placeholder:"NAME"`
	Scope   []string     `sep:"none" help:"Scopes of the resource, space separated." placeholder:"SCOPES"`
	JSON    bool         `help:"Print JSON, which this command always does."`
	Options kong.Plugins `embed:"" options:"remote,database,issuer,log"`
}

func (c *resourceAddCmd) Run(ctx context.Context, a *app) error {
	a.mayCreate = true
	service, err := a.clientsWithoutRoot(ctx)
	if err != nil {
		return err
	}
	added, err := service.AddResource(ctx, storage.Resource{
		Identifier: c.URI, Name: c.Name, Scopes: strings.Fields(strings.Join(c.Scope, " ")),
	})
	var wrong *clients.MetadataError
	switch {
	case errors.Is(err, storage.ErrExists):
		return fmt.Errorf("resource %q already exists. To change it, remove it and add it again", c.URI)
	case errors.As(err, &wrong):
		return config.Faults{{Subject: "the " + wrong.Field, Problem: "is not valid: " + wrong.Description, Remedy: "Nothing was changed."}}
	case err != nil:
		return err
	}
	// RFC 8707 compares resources as text, and the URL class of browsers and Node adds a slash if there is no path.
	if u, err := url.Parse(added.Identifier); err == nil && u.Path == "" && u.RawQuery == "" && strings.HasPrefix(u.Scheme, "http") {
		fmt.Fprintf(a.stderr, "latchkey: many clients send this resource as %s/, with a slash, which is a different resource. Add that one instead if yours do.\n", added.Identifier)
	}
	issuer, err := a.issuer(ctx)
	if err != nil {
		return err
	}
	document := oauth.ResourceMetadataURL(issuer, added.Identifier)
	return a.printJSON(addedResource{
		Resource: registry.DescribeResource(added), Metadata: document,
		WWWAuthenticate: fmt.Sprintf("Bearer resource_metadata=%q", document),
	})
}

// addedResource is a new resource with what its server needs to refer clients to this server (RFC 9728 §5.1).
type addedResource struct {
	admin.Resource
	// Metadata is the URL of its document.
	Metadata string `json:"resource_metadata"`
	// WWWAuthenticate is the header with which it refuses requests without a valid token.
	WWWAuthenticate string `json:"www_authenticate"`
}

type resourceListCmd struct{ databaseFlags }

func (c *resourceListCmd) Run(ctx context.Context, a *app) error {
	return list[admin.Resource]{
		a, c.JSON, "resources",
		[]string{"RESOURCE", "NAME", "SCOPE", "CREATED"},
		func(r admin.Resource) []string {
			return []string{r.Resource, r.Name, strings.Join(r.Scope, " "), when(r.CreatedAt)}
		},
	}.print(a.everyResource(ctx))
}

type resourceRemoveCmd struct {
	URI string `arg:"" name:"uri" help:"The resource's identifier."`
	databaseFlags
}

func (c *resourceRemoveCmd) Run(ctx context.Context, a *app) error {
	service, err := a.clientsWithoutRoot(ctx)
	if err != nil {
		return err
	}
	err = service.RemoveResource(ctx, c.URI)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("there is no resource %q. List the resources with `latchkey resource list`", c.URI)
	}
	if err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]string{"resource": c.URI}, "removed resource %s", c.URI)
}
