package simplejwt

import (
	"net/http"

	"latchkey/clients"
	"latchkey/server/internal/pyjson"
	"latchkey/server/simplejwt/drf"
	"latchkey/server/token"
	"latchkey/storage"
)

// obtain is TokenObtainPairView.
func (h *Handlers) obtain(j *jar) *drf.View {
	return &drf.View{
		Name: "Token Obtain Pair",
		Description: "Takes a set of user credentials and returns an access and refresh JSON web\n" +
			"token pair to prove the authentication of those credentials.",
		Fields: h.credentials(),
		Post: func(r *http.Request, values drf.Values) (*pyjson.Dict, error) {
			resp, err := h.cfg.Tokens.Exchange(r.Context(), h.login(values))
			if err != nil {
				return nil, h.notLoggedIn(err)
			}
			answer := &pyjson.Dict{}
			j.put(answer, resp)
			answer.Set("access", resp.AccessToken.Reveal())
			h.addFields(answer, resp)
			return answer, nil
		},
	}
}

// obtainSliding is TokenObtainSlidingView.
func (h *Handlers) obtainSliding() *drf.View {
	return &drf.View{
		Name: "Token Obtain Sliding",
		Description: "Takes a set of user credentials and returns a sliding JSON web token to\n" +
			"prove the authentication of those credentials.",
		Fields: h.credentials(),
		Post: func(r *http.Request, values drf.Values) (*pyjson.Dict, error) {
			resp, err := h.cfg.Tokens.ExchangeSliding(r.Context(), h.login(values))
			if err != nil {
				return nil, h.notLoggedIn(err)
			}
			answer := &pyjson.Dict{}
			answer.Set("token", resp.AccessToken.Reveal())
			h.addFields(answer, resp)
			return answer, nil
		},
	}
}

// login returns the request of a user with credentials.
func (h *Handlers) login(values drf.Values) *token.Request {
	return &token.Request{
		GrantType: clients.GrantPassword, Username: values[0], Password: storage.Secret(values[1]),
		ExactUsername: true, KeepLastLogin: !h.cfg.UpdateLastLogin,
	}
}

// addFields adds to the answer of a login what the site wants there.
func (h *Handlers) addFields(answer *pyjson.Dict, resp *token.Response) {
	for _, m := range h.cfg.Tokens.Fields(resp) {
		answer.Set(m.Key, m.Value)
	}
}

// refresh is TokenRefreshView. Whether the answer has a refresh token too is the rotation policy's business.
func (h *Handlers) refresh(j *jar) *drf.View {
	return &drf.View{
		Name: "Token Refresh",
		Description: "Takes a refresh type JSON web token and returns an access type JSON web\n" +
			"token if the refresh token is valid.",
		Fields: []drf.Field{{Name: "refresh", Label: "Refresh", Default: j.token()}, {Name: "access", Label: "Access", ReadOnly: true}},
		Post: func(r *http.Request, values drf.Values) (*pyjson.Dict, error) {
			var resp *token.Response
			used, err := j.use(values[0], func(presented string) (err error) {
				resp, err = h.cfg.Tokens.Exchange(r.Context(), refreshing(presented))
				return err
			})
			if err != nil {
				return nil, j.refused(used, h.refused(err))
			}
			answer := &pyjson.Dict{}
			answer.Set("access", resp.AccessToken.Reveal())
			j.put(answer, resp)
			return answer, nil
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
			resp, err := h.cfg.Tokens.ExchangeSliding(r.Context(), refreshing(values[0]))
			if err != nil {
				return nil, h.refused(err)
			}
			answer := &pyjson.Dict{}
			answer.Set("token", resp.AccessToken.Reveal())
			return answer, nil
		},
	}
}

// refreshing returns the request of a refresh.
func refreshing(presented string) *token.Request {
	return &token.Request{GrantType: clients.GrantRefreshToken, RefreshToken: storage.Secret(presented)}
}

// verify is TokenVerifyView.
func (h *Handlers) verify() *drf.View {
	return &drf.View{
		Name: "Token Verify",
		Description: "Takes a token and indicates if it is valid.  This view provides no\n" +
			"information about a token's fitness for a particular use.",
		Fields: []drf.Field{{Name: "token", Label: "Token"}},
		Post: func(r *http.Request, values drf.Values) (*pyjson.Dict, error) {
			if err := h.cfg.Tokens.Verify(r.Context(), storage.Secret(values[0])); err != nil {
				return nil, h.notVerified(err)
			}
			return &pyjson.Dict{}, nil
		},
	}
}

// blacklist is TokenBlacklistView: it ends the session of a refresh token.
func (h *Handlers) blacklist(j *jar) *drf.View {
	return &drf.View{
		Name: "Token Blacklist",
		Description: "Takes a token and blacklists it. Must be used with the\n" +
			"`rest_framework_simplejwt.token_blacklist` app installed.",
		Fields: []drf.Field{{Name: "refresh", Label: "Refresh", Default: j.token()}},
		Post: func(r *http.Request, values drf.Values) (*pyjson.Dict, error) {
			used, err := j.use(values[0], func(presented string) error {
				return h.cfg.Tokens.Blacklist(r.Context(), storage.Secret(presented))
			})
			if err != nil && !ofTheUser(err) {
				return nil, j.refused(used, h.refused(err))
			}
			j.clear()
			return &pyjson.Dict{}, nil
		},
	}
}
