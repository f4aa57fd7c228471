package selfhelp

import (
	"net/http"
	"net/url"

	"latchkey/server/proof"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/storage"
)

// verify asks whether the address is the right one: a mail scanner opens the link too.
func (h *Handlers) verify(w http.ResponseWriter, r *http.Request, form url.Values) error {
	secret := form.Get(proof.TokenParameter)
	l, err := h.Proof.Address(r.Context(), storage.Secret(secret))
	if err != nil {
		return h.dead(w, r, err, route.AccountPath)
	}
	return h.Pages.Render(w, r, http.StatusOK, web.Step{
		Name: "verify", Action: h.path(proof.VerifyPath), Hidden: hidden(proof.TokenParameter, secret), Shown: l.Email(),
	})
}

func (h *Handlers) postVerify(w http.ResponseWriter, r *http.Request, form url.Values) error {
	l, err := h.Proof.Address(r.Context(), storage.Secret(form.Get(proof.TokenParameter)))
	if err == nil {
		err = h.Proof.ConfirmAddress(r.Context(), l)
	}
	if err != nil {
		return h.dead(w, r, err, route.AccountPath)
	}
	return h.Pages.Render(w, r, http.StatusOK, web.Step{Name: "verified", Shown: l.Email(), Next: h.path(route.AccountPath)})
}
