package console

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"latchkey/clients"
	"latchkey/server/web/panel"
)

// application is a kind of application, with what its registration has. docs/applications.md says which one a finished application is.
type application struct {
	name       string
	metadata   clients.Metadata
	redirected bool
}

var applications = []application{
	{"web", clients.Metadata{GrantTypes: []string{clients.GrantAuthorizationCode, clients.GrantRefreshToken}, TokenEndpointAuthMethod: clients.AuthBasic}, true},
	{"spa", clients.Metadata{GrantTypes: []string{clients.GrantAuthorizationCode, clients.GrantRefreshToken}, TokenEndpointAuthMethod: clients.AuthNone}, true},
	{"native", clients.Metadata{
		GrantTypes: []string{clients.GrantAuthorizationCode, clients.GrantRefreshToken}, TokenEndpointAuthMethod: clients.AuthNone, ApplicationType: "native",
	}, true},
	{"device", clients.Metadata{GrantTypes: []string{clients.GrantDeviceCode, clients.GrantRefreshToken}, TokenEndpointAuthMethod: clients.AuthNone}, false},
	{"service", clients.Metadata{GrantTypes: []string{clients.GrantClientCredentials}, TokenEndpointAuthMethod: clients.AuthBasic}, false},
}

func kindNamed(name string) (application, bool) {
	for _, k := range applications {
		if k.name == name {
			return k, true
		}
	}
	return application{}, false
}

// newClient shows the form for a kind of application.
func (h *Handlers) newClient(_ context.Context, query url.Values) (*panel.Page, error) {
	k, ok := kindNamed(query.Get("kind"))
	if !ok {
		return nil, notFound()
	}
	return newClientPage(k, query), nil
}

func newClientPage(k application, typed url.Values) *panel.Page {
	form := panel.Form{Action: NewClientPath, Submit: "console.add_client", Hidden: []panel.Input{{Name: "kind", Value: k.name}}, Inputs: []panel.Input{
		{Name: "client_name", Label: "console.name", Note: "console.name_note", Value: typed.Get("client_name"), Required: true},
	}}
	if k.redirected {
		form.Inputs = append(form.Inputs,
			panel.Input{Name: "redirect_uris", Label: "console.redirect_uris", Note: "console.lines_note", Value: typed.Get("redirect_uris"), Lines: true, Required: true},
			panel.Input{Name: "post_logout_redirect_uris", Label: "console.post_logout_uris", Note: "console.lines_note", Value: typed.Get("post_logout_redirect_uris"), Lines: true})
	}
	form.Inputs = append(form.Inputs, panel.Input{Name: "scope", Label: "console.scope", Note: "console.scope_note", Value: typed.Get("scope")})
	return &panel.Page{
		Active: panel.Clients, Heading: "console.new_client",
		Sections: []panel.Section{{Heading: "console.kind." + k.name, Text: "console.kind_for." + k.name, Forms: []panel.Form{form}}},
	}
}

// addClient registers a client and shows what its application needs, the secret once.
func (h *Handlers) addClient(ctx context.Context, form url.Values) (*panel.Page, string, error) {
	k, ok := kindNamed(form.Get("kind"))
	if !ok {
		return nil, "", malformed()
	}
	reg := clients.Registration{Metadata: k.metadata}
	reg.ClientName, reg.Scope = form.Get("client_name"), form.Get("scope")
	if k.redirected {
		reg.RedirectURIs, reg.PostLogoutRedirectURIs = strings.Fields(form.Get("redirect_uris")), strings.Fields(form.Get("post_logout_redirect_uris"))
	}
	c, secret, err := h.Clients.Add(ctx, reg)
	var wrong *clients.MetadataError
	if errors.As(err, &wrong) {
		page := newClientPage(k, form)
		page.Problem, page.Detail = "console.invalid", wrong.Error()
		return page, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	page, err := h.clientPage(ctx, c, nil)
	if err != nil {
		return nil, "", err
	}
	page.Notice, page.Secrets = "console.done.added", h.credentials(c, secret)
	return page, "", nil
}
