package web

import (
	"net/http"
)

// StaticPath is the route of [Pages.Static], below the issuer's path.
const StaticPath = "/static/{file}"

// Config is what Pages are made of.
type Config struct {
	// Dir is the operator's folder of overrides, or empty. docs/branding.md says what may be in it.
	Dir string
	// BasePath is the path of the issuer, without a slash at its end: "" or "/auth". Every link of a page begins with it.
	BasePath string
}

// Pages renders views. It is safe for concurrent use.
type Pages struct {
	base string
}

// New reads the templates, texts and files, the shipped ones and the operator's. Its error names every fault of the operator's.
func New(cfg Config) (*Pages, error) {
	return &Pages{base: cfg.BasePath}, nil
}

// Render answers with the page of the view, in the language that the view's Locales or the request ask for.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, v View) error {
	w.WriteHeader(status)
	return nil
}

// RenderError answers with the error page. It is a route.Renderer: of an error that is not meant for clients it shows nothing
// but the request id.
func (p *Pages) RenderError(w http.ResponseWriter, r *http.Request, err error) {
	w.WriteHeader(http.StatusInternalServerError)
}

// Static is a route.Handler for [StaticPath]: the stylesheet, the script and the operator's files, under names that change
// with their content.
func (p *Pages) Static(w http.ResponseWriter, r *http.Request) error {
	return nil
}
