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
			resp, err := h.cfg.Tokens.Exchange(r.Context(), &token.Request{
				GrantType: clients.GrantPassword, Username: values[0], Password: storage.Secret(values[1]),
				ExactUsername: true, KeepLastLogin: !h.cfg.UpdateLastLogin,
			})
			if err != nil {
				return nil, h.notLoggedIn(err)
			}
			answer := &pyjson.Dict{}
			j.put(answer, resp)
			answer.Set("access", resp.AccessToken.Reveal())
			for _, m := range h.cfg.Tokens.Fields(resp) {
				answer.Set(m.Key, m.Value)
			}
			return answer, nil
		},
	}
}
