package admin

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Resource is a protected resource (RFC 8707): an audience of access tokens.
type Resource struct {
	Resource  string    `json:"resource" doc:"The identifier: an absolute URI without a fragment (RFC 8707)."`
	Name      string    `json:"name" doc:"The name that users see."`
	Scope     []string  `json:"scope" nullable:"false" doc:"The scopes that it has."`
	CreatedAt time.Time `json:"created_at"`
}

// NewResource is a protected resource to be added.
type NewResource struct {
	Resource string   `json:"resource" minLength:"1" maxLength:"2048" doc:"The identifier: an absolute URI without a fragment (RFC 8707)."`
	Name     string   `json:"name,omitempty" maxLength:"255" doc:"The name that users see."`
	Scope    []string `json:"scope,omitempty" nullable:"false" maxItems:"100" doc:"The scopes that it has."`
}

// Resources lists protected resources by identifier.
func (a *API) Resources(ctx context.Context) iter.Seq2[Resource, error] {
	return list[Resource](ctx, a, "/resources", nil)
}

// Resource shows a protected resource.
func (a *API) Resource(ctx context.Context, resource string, o ...Option) (*Resource, error) {
	return one[Resource](ctx, a, newCall(http.MethodGet, "/resources"+segment(resource), nil, o...))
}

// AddResource adds a protected resource.
func (a *API) AddResource(ctx context.Context, r NewResource, o ...Option) (*Resource, error) {
	return one[Resource](ctx, a, newCall(http.MethodPost, "/resources", r, o...))
}

// RemoveResource removes a protected resource; tokens for it stay valid until they expire.
func (a *API) RemoveResource(ctx context.Context, resource string, o ...Option) (*Resource, error) {
	return one[Resource](ctx, a, change(http.MethodDelete, "/resources"+segment(resource), nil, o))
}
