package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"latchkey/clients"
	"latchkey/server/authorize"
	"latchkey/server/flow"
	"latchkey/server/internal/form"
	"latchkey/server/route"
	"latchkey/server/web"
	"latchkey/storage"
)

// Authorize is the authorization endpoint (RFC 6749 §3.1). A request that lacks something goes to a page, which sends it back
// here as a continuation.
func (h *Handlers) Authorize(w http.ResponseWriter, r *http.Request) error {
	a, err := h.authorization(r)
	if err != nil {
		return h.refuseAuthorization(w, r, err, nil)
	}
	return flow.OnTheWay(a.Client, a.UILocales, h.proceed(w, r, a))
}

// proceed takes the next step of a request that is right.
func (h *Handlers) proceed(w http.ResponseWriter, r *http.Request, a *authorize.Request) error {
	session, err := h.cfg.Sessions.Find(r, a.Client.ID)
	if err != nil {
		return err
	}
	step, err := a.Decide(session)
	if err != nil {
		return h.refuseAuthorization(w, r, err, session)
	}
	switch step {
	case authorize.StepLogin:
		return route.SeeOther(w, h.cfg.Paths.Login(h.cfg.Paths.Resume(a.Continuation())))
	case authorize.StepConsent:
		return route.SeeOther(w, h.cfg.Paths.Consent(a.Ticket(session.ID)))
	}
	answer, err := h.cfg.Requests.Issue(r.Context(), a, session)
	if err != nil {
		return h.refuseAuthorization(w, r, err, session)
	}
	return h.answer(w, r, answer, a.Client, a.UILocales)
}

// authorization reads the request: the parameters of the query, or of the form (OpenID Connect Core §3.1.2.1), or a
// continuation.
func (h *Handlers) authorization(r *http.Request) (*authorize.Request, error) {
	params, err := authorizationParams(r)
	if err != nil {
		return nil, err
	}
	if text := params.Get(flow.ParamContinue); text != "" && r.Method == http.MethodGet {
		return h.cfg.Requests.Resume(r.Context(), flow.Continuation(text))
	}
	omitEmpty(params)
	return h.cfg.Requests.Check(r.Context(), params)
}

// omitEmpty removes parameters without a value: RFC 6749 §3.1. One that is repeated stays as it is, to be refused.
func omitEmpty(params url.Values) {
	for name, values := range params {
		if name != repeatable && len(values) > 1 {
			continue
		}
		if values = slices.DeleteFunc(values, func(value string) bool { return value == "" }); len(values) == 0 {
			delete(params, name)
			continue
		}
		params[name] = values
	}
}

// authorizationParams returns the parameters of the query or of the form, repeated ones too: the answer to those depends on which they are.
func authorizationParams(r *http.Request) (url.Values, error) {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		var err error
		if raw, err = form.Body(r); err != nil {
			return nil, badForm(err)
		}
	}
	params, err := form.Parse(raw)
	if err != nil {
		return nil, badForm(err)
	}
	return params, nil
}

// refuseAuthorization sends an error to the client, or returns it for the error page when it must not: RFC 6749 §4.1.2.1. session is the
// user's, if it is known already.
func (h *Handlers) refuseAuthorization(w http.ResponseWriter, r *http.Request, err error, session *storage.LiveBrowserSession) error {
	h.noteRefusal(r.Context(), err, session)
	var refused *authorize.Error
	if !errors.As(err, &refused) || refused.Response == nil {
		return err
	}
	if refused.Client.Unverified() && !refused.Honest && session == nil {
		// RFC 9700 §4.11.2: anyone can register a client, so a link to us that is wrong on purpose must not lead people who are not
		// signed in to its site. The page has a link for those who want to go there.
		found, findErr := h.cfg.Sessions.Find(r, "")
		if findErr != nil {
			return flow.OnTheWay(refused.Client, refused.Locales, findErr)
		}
		if found == nil {
			return err
		}
	}
	noteReason(r, refused.Err)
	answer, err := h.cfg.Requests.Refuse(r.Context(), refused)
	if err != nil {
		return flow.OnTheWay(refused.Client, refused.Locales, err)
	}
	return h.answer(w, r, answer, refused.Client, refused.Locales)
}

// answer sends the answer to the client by way of the browser.
func (h *Handlers) answer(w http.ResponseWriter, r *http.Request, answer *authorize.Response, client *clients.Client, locales string) error {
	if answer.ByForm {
		page := web.FormPost{Action: answer.RedirectURI, Way: web.Way{Locales: locales, Look: h.cfg.Look(client)}}
		for name := range answer.Params {
			page.Fields = append(page.Fields, web.Field{Name: name, Value: answer.Params.Get(name)})
		}
		return h.cfg.Pages.Render(w, r, http.StatusOK, page)
	}
	return route.SeeOther(w, answer.Location())
}
