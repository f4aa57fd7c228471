package simplejwt

import (
	"net/http"

	"latchkey/clients"
	"latchkey/server/internal/pyjson"
	"latchkey/server/simplejwt/drf"
	"latchkey/server/token"
	"latchkey/storage"
)

// The addresses of sliding tokens.
const (
	SlidingPath        = "/api/token/sliding/"
	SlidingRefreshPath = "/api/token/sliding/refresh/"
)

// withSliding adds the views of sliding tokens, where there are any.
func (h *Handlers) withSliding(views map[string]*drf.View) map[string]*drf.View {
	if h.cfg.Sliding {
		views[SlidingPath], views[SlidingRefreshPath] = h.obtainSliding(), h.refreshSliding()
	}
	return views
}

// obtainSliding is TokenObtainSlidingView.
func (h *Handlers) obtainSliding() *drf.View {
	return &drf.View{
		Name: "Token Obtain Sliding",
		Description: "Takes a set of user credentials and returns a sliding JSON web token to\n" +
			"prove the authentication of those credentials.",
		Fields: h.credentials(),
		Post: func(r *http.Request, values drf.Values) (*pyjson.Dict, error) {
			return h.slid(r, &token.Request{
				GrantType: clients.GrantPassword, Username: values[0], Password: storage.Secret(values[1]),
				ExactUsername: true, KeepLastLogin: !h.cfg.UpdateLastLogin,
			})
		},
	}
}

// refreshSliding is TokenRefreshSlidingView.
func (h *Handlers) refreshSliding() *drf.View {
	return &drf.View{
		Name: "Token Refresh Sliding",
		Description: "Takes a sliding JSON web token and returns a new, refreshed version if the\n" +
			"token's refresh period has not expired.",
		Fields: []drf.Field{{Name: "token", Label: "Token"}},
		Post: func(r *http.Request, values drf.Values) (*pyjson.Dict, error) {
			return h.slid(r, &token.Request{GrantType: clients.GrantRefreshToken, RefreshToken: storage.Secret(values[0])})
		},
	}
}

func (h *Handlers) slid(r *http.Request, req *token.Request) (*pyjson.Dict, error) {
	resp, err := h.cfg.Tokens.ExchangeSliding(r.Context(), req)
	if err != nil && req.GrantType == clients.GrantPassword {
		return nil, h.notLoggedIn(err)
	}
	if err != nil {
		return nil, h.refused(err)
	}
	answer := &pyjson.Dict{}
	answer.Set("token", resp.AccessToken.Reveal())
	if req.GrantType == clients.GrantPassword {
		for _, m := range h.cfg.Tokens.Fields(resp) {
			answer.Set(m.Key, m.Value)
		}
	}
	return answer, nil
}
