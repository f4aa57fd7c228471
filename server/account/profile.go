package account

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/server/web"
	"latchkey/server/web/entered"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// fields returns the fields of the profile that users may change here.
func (h *Handlers) fields() []string {
	if !h.Users.CanChangeProfile() {
		return nil
	}
	return h.Fields
}

// profile returns what the page shows of a user. What can't be changed is shown if there is something.
func (h *Handlers) profile(u *storage.User) web.Profile {
	p := web.Profile{EmailVerified: u.EmailVerified && u.Email != "", Groups: u.Groups}
	mine := h.fields()
	for _, name := range users.OwnFields() {
		f := web.ProfileField{Name: name, Value: users.OwnField(&u.UserProfile, name)}
		switch {
		case slices.Contains(mine, name):
			p.Editable = append(p.Editable, f)
		case f.Value != "":
			p.Fixed = append(p.Fixed, f)
		}
	}
	return p
}

// changeProfile changes the fields of the form that the operator lets users change. A form without one of them leaves it as it is.
func (h *Handlers) changeProfile(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, form url.Values) error {
	values := make(map[string]string)
	for _, name := range h.fields() {
		if form.Has(name) {
			values[name] = strings.TrimSpace(form.Get(name))
		}
	}
	err := h.Users.ChangeOwnProfile(r.Context(), session.UserID, values)
	switch {
	case err == nil:
		return h.done(w, outcome.ProfileChanged)
	case errors.Is(err, storage.ErrElsewhere):
		return h.again(w, r, session, http.StatusForbidden, outcome.NoProblem, 0)
	}
	return h.refusedProfile(w, r, session, values, err)
}

// refusedProfile shows the page again with what was typed, and what is wrong with it, or returns an error that is not the user's.
func (h *Handlers) refusedProfile(w http.ResponseWriter, r *http.Request, session *storage.LiveBrowserSession, values map[string]string, err error) error {
	status, problem, wait := entered.Refused(err)
	if problem == outcome.NoProblem {
		return err
	}
	wrong := ""
	var invalid *input.Error
	if errors.As(err, &invalid) {
		wrong = strings.ReplaceAll(invalid.Field, " ", "_")
		problem = outcome.Problem("profile_" + wrong)
	}
	page, err := h.page(r.Context(), session)
	if err != nil {
		return err
	}
	page.Profile.Problem, page.Profile.Wrong, page.RetryAfter = problem, wrong, wait
	for i := range page.Profile.Editable {
		f := &page.Profile.Editable[i]
		if typed, ok := values[f.Name]; ok {
			f.Value = typed
		}
	}
	return h.Pages.Render(w, r, status, page)
}
