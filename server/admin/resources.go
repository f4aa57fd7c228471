package admin

import (
	"context"
	"net/http"
	"slices"

	wire "latchkey/admin"
	"latchkey/clients/registry"
	"latchkey/storage"
)

// resourceRoutes declares the operations on protected resources.
func (a *API) resourceRoutes() {
	const one = "/resources/{resource}"
	register(a, op("list-resources", http.MethodGet, "/resources", scopeClientsRead, "List protected resources, the audiences of tokens (RFC 8707)"), a.listResources)
	register(a, creation("add-resource", "/resources", scopeClientsWrite, "Add a protected resource"), a.addResource)
	register(a, op("show-resource", http.MethodGet, one, scopeClientsRead, "Show a protected resource", http.StatusNotFound), a.showResource)
	register(a, op("remove-resource", http.MethodDelete, one, scopeClientsWrite, "Remove a protected resource; tokens for it stay valid until they expire",
		http.StatusNotFound, http.StatusPreconditionFailed, http.StatusPreconditionRequired), a.removeResource)
}

// ResourcePath is the parameter that names a protected resource.
type ResourcePath struct {
	Resource string `path:"resource" maxLength:"2048" doc:"The identifier, percent-encoded."`
}

func (a *API) listResources(ctx context.Context, in *struct{ Paging }) (*listed[wire.Resource], error) {
	key := func(r *storage.Resource) string { return r.Identifier }
	read := func(after string, limit int) ([]*storage.Resource, error) {
		all, err := a.Store.ListResources(ctx)
		return part(all, key, after, limit), err
	}
	return list(a, in.Paging, struct{ Resources bool }{}, read, key, plain(registry.DescribeResource))
}

func (a *API) addResource(ctx context.Context, in *adding[wire.NewResource]) (*created[wire.Resource], error) {
	b := in.Body
	return maker[wire.Resource]{
		kind: "resource", noun: "resource", path: "/resources/", tag: etag[wire.Resource],
		id: func(r wire.Resource) string { return r.Resource },
		create: func(ctx context.Context) (wire.Resource, error) {
			r, err := a.registry(in.DryRun).AddResource(ctx, storage.Resource{Identifier: b.Resource, Name: b.Name, Scopes: b.Scope})
			if err != nil {
				return wire.Resource{}, err
			}
			return registry.DescribeResource(r), nil
		},
		read: a.resource,
	}.do(ctx, a, in.Creation, b)
}

func (a *API) resource(ctx context.Context, identifier string) (wire.Resource, error) {
	all, err := a.Store.ListResources(ctx)
	if err != nil {
		return wire.Resource{}, err
	}
	i := slices.IndexFunc(all, func(r *storage.Resource) bool { return r.Identifier == identifier })
	if i < 0 {
		return wire.Resource{}, storage.ErrNotFound
	}
	return registry.DescribeResource(all[i]), nil
}

// shownResource is the answer with one protected resource.
type shownResource = tagged[wire.Resource]

func (a *API) showResource(ctx context.Context, in *struct{ ResourcePath }) (*shownResource, error) {
	r, err := a.resource(ctx, in.Resource)
	return &shownResource{etag(r), r}, orNotFound(err, "resource")
}

func (a *API) removeResource(ctx context.Context, in *struct {
	ResourcePath
	Conditional
},
) (*shownResource, error) {
	out, err := a.showResource(ctx, &struct{ ResourcePath }{in.ResourcePath})
	if err == nil {
		err = in.check(out.ETag)
	}
	if err != nil {
		return nil, err
	}
	return out, a.registry(in.DryRun).RemoveResource(ctx, in.Resource)
}
