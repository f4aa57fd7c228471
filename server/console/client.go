package console

import (
	"context"
	"errors"
	"net/url"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/trail"
	"latchkey/server/web/panel"
	"latchkey/storage"
)

// showClient shows a client: how it is registered, why it was refused, and which users it has sessions for.
func (h *Handlers) showClient(ctx context.Context, query url.Values) (*panel.Page, error) {
	c, err := h.client(ctx, query.Get("id"))
	if err != nil {
		return nil, err
	}
	return h.clientPage(ctx, c, nil)
}

// clientPage returns the page of a client. The form for its look has what was typed, if there is such.
func (h *Handlers) clientPage(ctx context.Context, c *clients.Client, typed url.Values) (*panel.Page, error) {
	refusals, err := h.refusals(ctx, c)
	if err != nil {
		return nil, err
	}
	sessions, err := h.sessions(ctx, storage.GrantFilter{ClientID: c.ID})
	if err != nil {
		return nil, err
	}
	events, err := h.events(ctx, storage.AuditFilter{ClientID: c.ID, Limit: maxEvents})
	if err != nil {
		return nil, err
	}
	events.Heading, events.More = "console.events", address(AuditPath, "client", c.ID)
	page := &panel.Page{
		Active: panel.Clients, Heading: "console.client", Subject: c.ID, Sections: []panel.Section{{Facts: clientFacts(c)}, refusals, sessions, events},
	}
	if hasPages(c) {
		page.Sections = append(page.Sections, panel.Section{
			Heading: "console.look_title", Text: "console.look_note", Forms: []panel.Form{lookForm(c, typed)},
		})
	}
	page.Sections = append(page.Sections, panel.Section{Heading: "console.actions", Forms: clientForms(c)})
	return page, nil
}

// client returns the client with an id, as the database has it.
func (h *Handlers) client(ctx context.Context, id string) (*clients.Client, error) {
	if !clients.ValidID(id) {
		return nil, notFound()
	}
	c, err := h.Clients.Client(ctx, id)
	return c, orNotFound(err)
}

func clientFacts(c *clients.Client) []panel.Fact {
	facts := []panel.Fact{
		{Name: "console.name", Value: panel.Text(c.ClientName)},
		{Name: "console.state", Value: active(!c.Disabled)},
		{Name: "console.origin", Value: panel.Key(origin(c), panel.Plain)},
		{Name: "console.created", Value: panel.At(c.CreatedAt)},
	}
	if c.Unverified() {
		facts = append(facts, panel.Fact{Name: "console.identity", Value: panel.Key("consent.unverified", panel.Warn)})
	}
	facts = append(facts, panel.Fact{Name: "console.auth_method", Value: panel.Code(c.TokenEndpointAuthMethod)},
		panel.Fact{Name: "console.grant_types", Value: words(c.GrantTypes)}, panel.Fact{Name: "console.scope", Value: panel.Text(c.Scope)})
	for _, uri := range c.RedirectURIs {
		facts = append(facts, panel.Fact{Name: "console.redirect_uri", Value: panel.Code(uri)})
	}
	for _, uri := range c.PostLogoutRedirectURIs {
		facts = append(facts, panel.Fact{Name: "console.post_logout_uri", Value: panel.Code(uri)})
	}
	return facts
}

// refusals lists why requests of a client were refused of late, which is what keeps people from logging in at it, and what to do.
func (h *Handlers) refusals(ctx context.Context, c *clients.Client) (panel.Section, error) {
	s := panel.Section{
		Heading: "console.refusals", Columns: []string{
			"console.time", "console.reason", "console.said", "console.arrived", "console.registered", "console.hint",
		},
		Empty: "console.refusals_none",
	}
	found, err := trail.Refusals(ctx, h.Store, c, maxEvents)
	if err != nil {
		return s, err
	}
	for _, r := range found.Refusals {
		s.Rows = append(s.Rows, []panel.Cell{
			panel.At(r.At), panel.Text(r.Reason), panel.Text(r.Description), panel.Code(r.RedirectURI), panel.Code(r.Nearest), panel.Text(r.Hint),
		})
	}
	return s, nil
}

func clientForms(c *clients.Client) []panel.Form {
	var forms []panel.Form
	if c.UsesSecret() {
		rotate := rotateForm(ClientPath, c.ID)
		rotate.Note = "console.rotate_note"
		forms = append(forms, rotate)
	}
	if c.Unverified() {
		verify := act(ClientPath, c.ID, "verify", "console.verify")
		verify.Note = "console.verify_note"
		forms = append(forms, verify)
	}
	if c.Disabled {
		forms = append(forms, act(ClientPath, c.ID, "enable", "console.enable_client"))
	} else {
		forms = append(forms, act(ClientPath, c.ID, "disable", "console.disable_client"))
	}
	forms = append(forms, act(ClientPath, c.ID, "end", "console.end_sessions"))
	remove := act(ClientPath, c.ID, "remove", "console.remove_client")
	remove.Title, remove.Inputs = "console.remove_title", []panel.Input{{Name: "repeat", Label: "console.repeat_id", Required: true}}
	return append(forms, remove)
}

// rotateForm returns the form for a new secret; the one before can be kept for a while.
func rotateForm(path, id string) panel.Form {
	form := act(path, id, "rotate", "console.rotate")
	form.Title, form.Inputs = "console.rotate_title", []panel.Input{{Name: "keep", Label: "console.keep_old", Value: "24h", Options: []panel.Option{
		{Value: "0s", Label: "console.keep.none"}, {Value: "1h", Label: "console.keep.hour"}, {Value: "24h", Label: "console.keep.day"}, {Value: "168h", Label: "console.keep.week"},
	}}}
	return form
}

// kept returns how long that form keeps the secret before.
func kept(form url.Values) (time.Duration, error) {
	old, err := time.ParseDuration(form.Get("keep"))
	if err != nil || old < 0 || old > 7*24*time.Hour {
		return 0, malformed()
	}
	return old, nil
}

// changeClient does what the forms of a client's page say.
func (h *Handlers) changeClient(ctx context.Context, form url.Values) (*panel.Page, string, error) {
	c, err := h.client(ctx, form.Get("id"))
	if err != nil {
		return nil, "", err
	}
	what := form.Get("do")
	if what == "end" || what == "disable" {
		page, err := h.confirm(ctx, form, panel.Page{Active: panel.Clients, Heading: "console.client", Subject: c.ID}, ClientPath, storage.GrantFilter{ClientID: c.ID})
		if page != nil || err != nil {
			return page, "", err
		}
	}
	to := func(done string) string { return address(ClientPath, "id", c.ID, "done", done) }
	switch what {
	case "look":
		return h.setLook(ctx, c, form)
	case "rotate":
		page, err := h.rotate(ctx, c, form)
		return page, "", err
	case "verify":
		_, err := h.Clients.Update(ctx, c.ID, func(reg *clients.Registration) error { reg.Verified = true; return nil })
		return nil, to("verified"), err
	case "disable":
		return nil, to("disabled"), h.Clients.SetDisabled(ctx, c.ID, true)
	case "enable":
		return nil, to("enabled"), h.Clients.SetDisabled(ctx, c.ID, false)
	case "end":
		return nil, to("ended"), h.Grants.EndOfClient(ctx, c.ID)
	case "remove":
		return h.removeClient(ctx, c, form.Get("repeat"))
	}
	return nil, "", malformed()
}

// rotate shows the new secret, once.
func (h *Handlers) rotate(ctx context.Context, c *clients.Client, form url.Values) (*panel.Page, error) {
	old, err := kept(form)
	if err != nil {
		return nil, err
	}
	secret, err := h.Clients.RotateSecret(ctx, c.ID, old)
	if errors.Is(err, registry.ErrNoSecret) {
		return nil, malformed()
	}
	if err != nil {
		return nil, err
	}
	page, err := h.clientPage(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	page.Notice, page.Secrets = "console.done.rotated", h.credentials(c, secret)
	return page, nil
}

// credentials are what the settings of an application ask for.
func (h *Handlers) credentials(c *clients.Client, secret storage.Secret) []panel.Fact {
	facts := []panel.Fact{{Name: "console.issuer", Value: panel.Code(h.Issuer)}, {Name: "console.client_id", Value: panel.Code(c.ID)}}
	if secret != "" {
		facts = append(facts, panel.Fact{Name: "console.client_secret", Value: panel.Code(secret.Reveal())})
	}
	return facts
}

// removeClient removes a client whose id was typed again.
func (h *Handlers) removeClient(ctx context.Context, c *clients.Client, repeated string) (*panel.Page, string, error) {
	if repeated != c.ID {
		page, err := h.clientPage(ctx, c, nil)
		if err == nil {
			page.Problem = "console.repeat_wrong"
		}
		return page, "", err
	}
	return nil, address(ClientsPath, "done", "removed"), h.Clients.Remove(ctx, c.ID)
}
