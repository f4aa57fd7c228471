package console

import (
	"context"
	"net/url"
	"strings"

	"latchkey/clients"
	"latchkey/server/web/panel"
)

// lookField is a field of the form for the look of a client's pages. Its name is that of the policy.
type lookField struct {
	name, label string
	value       *string
}

func lookFields(p *clients.Policy) []lookField {
	return []lookField{
		{"brand_name", "console.brand_name", &p.BrandName},
		{"brand_logo_uri", "console.brand_logo_uri", &p.BrandLogoURI},
		{"brand_accent", "console.brand_accent", &p.BrandAccent},
		{"brand_accent_dark", "console.brand_accent_dark", &p.BrandAccentDark},
		{"brand_terms_uri", "console.brand_terms_uri", &p.BrandTermsURI},
		{"brand_privacy_uri", "console.brand_privacy_uri", &p.BrandPrivacyURI},
	}
}

// hasPages reports whether users get to pages on the way to a client.
func hasPages(c *clients.Client) bool {
	return c.Allows(clients.GrantAuthorizationCode) || c.Allows(clients.GrantDeviceCode)
}

// lookForm returns the form with what is set, or with what was typed.
func lookForm(c *clients.Client, typed url.Values) panel.Form {
	form := act(ClientPath, c.ID, "look", "console.look")
	form.Danger = false
	policy := c.Policy
	for _, f := range lookFields(&policy) {
		in := panel.Input{Name: f.name, Label: f.label, Value: *f.value}
		if typed.Has(f.name) {
			in.Value = typed.Get(f.name)
		}
		form.Inputs = append(form.Inputs, in)
	}
	return form
}

// setLook stores the look of a client's pages, or shows what is wrong with it.
func (h *Handlers) setLook(ctx context.Context, c *clients.Client, form url.Values) (*panel.Page, string, error) {
	_, err := h.Clients.Update(ctx, c.ID, func(r *clients.Registration) error {
		for _, f := range lookFields(&r.Policy) {
			*f.value = strings.TrimSpace(form.Get(f.name))
		}
		return nil
	})
	if faults := clients.Faults(err); len(faults) > 0 {
		page, err := h.clientPage(ctx, c, form)
		if err == nil {
			page.Problem, page.Detail = "console.look_wrong", faults[0].Error()
		}
		return page, "", err
	}
	return nil, address(ClientPath, "id", c.ID, "done", "look"), err
}
