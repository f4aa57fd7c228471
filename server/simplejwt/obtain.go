package simplejwt

import (
	"net/http"

	"latchkey/server/internal/pyjson"
	"latchkey/server/simplejwt/drf"
	"latchkey/server/token"
)

// obtain is TokenObtainPairView.
func (h *Handlers) obtain(j *jar) *drf.View {
	return &drf.View{
		Name: "Token Obtain Pair",
		Description: "Takes a set of user credentials and returns an access and refresh JSON web\n" +
			"token pair to prove the authentication of those credentials.",
		Fields: []drf.Field{{Name: "username", Label: "Username"}, {Name: "password", Label: "Password"}},
		Post: func(r *http.Request, values drf.Values) (*pyjson.Dict, error) {
			resp, err := h.exchange(r.Context(), token.Request{
				GrantType: token.GrantPassword, Username: values[0], Password: secret(values[1]),
			})
			if err != nil {
				return nil, h.refused(err)
			}
			answer := &pyjson.Dict{}
			j.put(answer, resp)
			answer.Set("access", resp.AccessToken.Reveal())
			return answer, nil
		},
	}
}
