package console

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"latchkey/server/factors"
	"latchkey/server/mail"
	"latchkey/server/users"
	"latchkey/server/web/panel"
	"latchkey/storage"
)

// factorKinds are the texts of the kinds of factors that are listed.
var factorKinds = map[storage.FactorKind]string{
	storage.FactorTOTP: "console.factor.totp", storage.FactorWebAuthn: "console.factor.webauthn", storage.FactorBrowser: "console.factor.browser",
}

// factorSection shows the second factors of a user, with forms that remove one or all.
func (h *Handlers) factorSection(ctx context.Context, u *storage.User) (panel.Section, error) {
	s := panel.Section{
		Heading: "console.factors", Columns: []string{"console.kind", "console.name", "console.created", "console.last_used", "console.expires"}, Empty: "console.none",
	}
	set, err := h.Factors.Of(ctx, u)
	if err != nil {
		return s, err
	}
	id := strconv.FormatInt(u.ID, 10)
	shown := set.Describe()
	var options []panel.Option
	for _, f := range shown.Factors {
		kind := factorKinds[storage.FactorKind(f.Kind)]
		row := []panel.Cell{panel.Key(kind, panel.Plain), panel.Text(f.Name), panel.At(f.CreatedAt), {}, {}}
		if f.LastUsed != nil {
			row[3] = panel.At(*f.LastUsed)
		}
		if f.ExpiresAt != nil {
			row[4] = panel.At(*f.ExpiresAt)
		}
		s.Rows = append(s.Rows, row)
		options = append(options, panel.Option{Value: f.ID, Label: kind, Text: f.Name})
	}
	if len(options) == 0 {
		return s, nil
	}
	s.Facts = []panel.Fact{{Name: "console.recovery_codes", Value: panel.Text(strconv.Itoa(shown.RecoveryCodes))}}
	remove := act(UserPath, id, "remove-factor", "console.remove_factor")
	remove.Title, remove.Note = "console.remove_factor", "console.remove_factor_note"
	remove.Inputs = []panel.Input{{Name: "factor", Label: "console.factor", Options: options}}
	reset := act(UserPath, id, "reset-factors", "console.reset_factors")
	reset.Title, reset.Note = "console.reset_factors", "console.reset_factors_note"
	s.Forms = []panel.Form{remove, reset}
	return s, nil
}

// changeFactors removes one second factor of a user, or all. What is a second factor ends the user's sessions.
func (h *Handlers) changeFactors(ctx context.Context, u *storage.User, form url.Values) (*panel.Page, string, error) {
	set, err := h.Factors.Of(ctx, u)
	if err != nil {
		return nil, "", err
	}
	reset := form.Get("do") == "reset-factors"
	f, err := chosen(set, form.Get("factor"))
	if err != nil && !reset {
		return nil, "", err
	}
	if reset || f.Kind.Second() {
		page, err := h.confirm(ctx, form, panel.Page{Active: panel.Users, Heading: "console.user", Subject: u.Username}, UserPath, storage.GrantFilter{UserID: u.ID})
		if page != nil {
			again := &page.Sections[0].Forms[0]
			again.Hidden = append(again.Hidden, panel.Input{Name: "factor", Value: form.Get("factor")})
		}
		if page != nil || err != nil {
			return page, "", err
		}
	}
	if reset {
		err = h.Factors.Reset(ctx, u.ID)
	} else {
		_, err = h.Factors.Remove(ctx, "operator", set, f.ID)
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) { // another operator was faster
		return nil, "", err
	}
	return nil, "factors", nil
}

// chosen returns the factor that a form names.
func chosen(set *factors.Set, text string) (*storage.Factor, error) {
	id, err := storage.ParseID(text)
	f := set.Find(id)
	if err != nil || f == nil {
		return nil, notFound()
	}
	return f, nil
}

// letterForms are the letters that can be sent to a user.
func (h *Handlers) letterForms(u *storage.User) (list []panel.Form) {
	if h.Letters == nil || !u.Active || !mail.IsAddress(u.Email) {
		return nil
	}
	id := strconv.FormatInt(u.ID, 10)
	list = append(list, act(UserPath, id, "send-reset", "console.send_reset"))
	if !u.EmailVerified {
		list = append(list, act(UserPath, id, "send-verify", "console.send_verify"))
	}
	return list
}

// sendLetter asks for a letter in the name of the user, within the same limits.
func (h *Handlers) sendLetter(ctx context.Context, u *storage.User, form url.Values) (*panel.Page, string, error) {
	if h.Letters == nil || !u.Active || !mail.IsAddress(u.Email) {
		return nil, "", malformed()
	}
	var err error
	if form.Get("do") == "send-reset" {
		err = h.Letters.SendPasswordLink(ctx, u)
	} else {
		err = h.Letters.ProveAddress(ctx, u, u.Email, "")
	}
	var throttled *users.ThrottledError
	if !errors.As(err, &throttled) {
		return nil, "letter", err
	}
	page, err := h.showUser(ctx, form)
	if err == nil {
		page.Problem = "console.letter_throttled"
		page.Detail = fmt.Sprint(max(1, int(throttled.RetryAfter.Minutes())), " min")
	}
	return page, "", err
}
