package admin

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humamux"

	"latchkey/server/internal/form"
	"latchkey/server/route"
)

// adapter registers huma's operations as routes of the class API, so that they have its headers, limits, log event and span. It checks what
// is the same for all operations before huma reads a request.
type adapter struct {
	http.Handler // implements [huma.Adapter]: the router serves
	// authorize refuses what the caller may not do.
	authorize func(w http.ResponseWriter, r *http.Request, op *huma.Operation) error
	paths     map[string]map[string]*operation // by path and method
}

type operation struct {
	*huma.Operation
	handle func(huma.Context)
}

// Handle implements [huma.Adapter].
func (a *adapter) Handle(op *huma.Operation, handle func(huma.Context)) {
	if a.paths[op.Path] == nil {
		a.paths[op.Path] = map[string]*operation{}
	}
	a.paths[op.Path][op.Method] = &operation{op, handle}
}

// mount registers the routes.
func (a *adapter) mount(rt *route.Router) {
	for _, path := range slices.Sorted(maps.Keys(a.paths)) { // a word comes before a variable
		methods := a.paths[path]
		rt.API(path, a.serve(methods), render, route.Methods(slices.Sorted(maps.Keys(methods))...))
	}
}

// serve answers the requests of one path. The token is judged first: only a caller that may make a request learns what is wrong with it.
func (a *adapter) serve(methods map[string]*operation) route.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		op := methods[method]
		if err := a.authorize(w, r, op.Operation); err != nil {
			return err
		}
		if method == http.MethodGet {
			w = route.Revalidated(w, r)
		}
		ctx, err := newContext(op.Operation, w, r)
		if err != nil {
			return err
		}
		op.handle(ctx)
		return nil
	}
}

type humaContext = huma.Context

// checked is a request whose parts are text that every database accepts.
type checked struct {
	humaContext
	body io.Reader
}

// newContext reads a request. The errors of reading its body are explained by the route.
func newContext(op *huma.Operation, w http.ResponseWriter, r *http.Request) (huma.Context, error) {
	query, err := form.Parse(r.URL.RawQuery)
	if err != nil {
		return nil, &route.Error{Status: http.StatusBadRequest, Message: "The query: " + err.Error()}
	}
	for _, values := range query {
		if len(values) > 1 || values[0] == "" {
			return nil, &route.Error{Status: http.StatusBadRequest, Message: "A parameter of the query is there more than once, or is empty."}
		}
	}
	r = r.Clone(r.Context())
	r.URL.RawQuery = query.Encode() // huma reads a name without a value as true
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return &checked{humamux.NewContext(op, r, w), bytes.NewReader(body)}, nil
}

// Param returns a variable of the path, which the router leaves encoded so that it may have a slash.
func (c *checked) Param(name string) string {
	text, err := url.PathUnescape(c.humaContext.Param(name))
	if err != nil || !form.IsText(text) {
		return "\x00" // no schema accepts it
	}
	return text
}

// BodyReader returns the body.
func (c *checked) BodyReader() io.Reader { return c.body }
