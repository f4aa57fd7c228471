package simplejwt

import (
	"net/http"

	"latchkey/server/internal/pyjson"
	"latchkey/server/simplejwt/drf"
	"latchkey/storage"
)

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
