package simplejwt

import (
	"net/http"

	"latchkey/clients"
	"latchkey/server/internal/pyjson"
	"latchkey/server/simplejwt/drf"
	"latchkey/server/token"
	"latchkey/storage"
)

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
				resp, err = h.cfg.Tokens.Exchange(r.Context(), &token.Request{
					GrantType: clients.GrantRefreshToken, RefreshToken: storage.Secret(presented),
				})
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
