package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"latchkey/server/route"
	"latchkey/server/token"
	"latchkey/server/web"
)

// Authorize is the authorization endpoint (RFC 6749 §3.1). A request that lacks something goes to a page, which sends it back
// here as a continuation.
func (h *Handlers) Authorize(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead { // whoever only looks must not use up a pushed request, or be given a code
		w.Header().Set("Allow", "GET, POST")
		return &route.Error{Status: http.StatusMethodNotAllowed, Message: "Use GET or POST."}
	}
	a, err := h.authorization(r)
	if err != nil {
		return h.refuseAuthorization(w, r, err)
	}
	session, err := h.sessions.Find(r, a.Client.ID)
	if err != nil {
		return err
	}
	step, err := h.tokens.Decide(a, session)
	if err != nil {
		return h.refuseAuthorization(w, r, err)
	}
	switch step {
	case token.StepLogin:
		back := h.basePath + route.ContinuePath + a.Continuation()
		return route.SeeOther(w, h.basePath+route.LoginPath+"?"+url.Values{"return_to": {back}}.Encode())
	case token.StepConsent:
		return route.SeeOther(w, h.basePath+route.ConsentPath+"?"+url.Values{"request": {a.Ticket(session.ID)}}.Encode())
	}
	answer, err := h.tokens.Issue(r.Context(), a, session)
	if err != nil {
		return h.refuseAuthorization(w, r, err)
	}
	return h.answer(w, r, answer)
}

// authorization reads the request: the parameters of the query, or of the form (OpenID Connect Core §3.1.2.1), or a
// continuation.
func (h *Handlers) authorization(r *http.Request) (*token.Authorization, error) {
	params, err := authorizationParams(r)
	if err != nil {
		return nil, err
	}
	if text := params.Get(route.Continue); text != "" && r.Method == http.MethodGet {
		return h.tokens.Resume(r.Context(), text)
	}
	return h.tokens.Authorize(r.Context(), params)
}

// authorizationParams reads parameters without judging repeated ones: what they are answered with depends on which they are.
func authorizationParams(r *http.Request) (url.Values, error) {
	raw := r.URL.RawQuery
	if r.Method == http.MethodPost {
		var err error
		if raw, err = readBody(r); err != nil {
			return nil, err
		}
	}
	if strings.Count(raw, "&") >= maxParameters {
		return nil, invalidRequest("There are too many parameters.")
	}
	params, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalidRequest("The parameters are malformed.")
	}
	for name, values := range params {
		for _, value := range values {
			if !isText(name) || !isText(value) {
				return nil, invalidRequest("The parameters must be UTF-8, without NUL.")
			}
		}
	}
	return params, nil
}

// refuseAuthorization sends an error to the client, or shows a page when there is nobody to send it to: RFC 6749 §4.1.2.1.
func (h *Handlers) refuseAuthorization(w http.ResponseWriter, r *http.Request, err error) error {
	var refused *token.AuthorizationError
	if !errors.As(err, &refused) || refused.Response == nil {
		return err
	}
	if refused.Client.Unverified() && !refused.Silent {
		// RFC 9700 §4.11.2: anybody can register a client, so a link to us that is wrong on purpose must not lead people who
		// are not signed in to anybody's site.
		session, findErr := h.sessions.Find(r, "")
		if findErr != nil {
			return findErr
		}
		if session == nil {
			return err
		}
	}
	noteReason(r, refused.Err)
	return h.answer(w, r, refused.Response)
}

// answer sends the answer to the client by way of the browser.
func (h *Handlers) answer(w http.ResponseWriter, r *http.Request, answer *token.AuthorizationResponse) error {
	if answer.Mode == token.ModeFormPost {
		page := web.FormPost{Action: answer.RedirectURI}
		for name := range answer.Params {
			page.Fields = append(page.Fields, web.Field{Name: name, Value: answer.Params.Get(name)})
		}
		return h.pages.Render(w, r, http.StatusOK, page)
	}
	return route.SeeOther(w, answer.Location())
}
