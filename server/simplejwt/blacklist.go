package simplejwt

import (
	"net/http"

	"latchkey/server/internal/pyjson"
	"latchkey/server/simplejwt/drf"
	"latchkey/storage"
)

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
