package oauth

import (
	"net/http"

	"latchkey/server/token"
)

// tokenResponse is the answer of RFC 6749 §5.1.
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope,omitempty"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
}

// Token is the token endpoint (RFC 6749 §3.2).
func (h *Handlers) Token(w http.ResponseWriter, r *http.Request) error {
	f, client, err := readRequest(r)
	if err != nil {
		return err
	}
	resp, err := h.tokens.Exchange(r.Context(), &token.Request{
		Client:       client,
		GrantType:    f.get("grant_type"),
		Username:     f.get("username"),
		Password:     f.secret("password"),
		RefreshToken: f.secret("refresh_token"),
		Code:         f.secret("code"),
		CodeVerifier: f.secret("code_verifier"),
		RedirectURI:  f.get("redirect_uri"),
		Scope:        f.optional("scope"),
		Resource:     f[repeatable],
	})
	if err != nil {
		return err
	}
	return writeJSON(w, tokenResponse{
		AccessToken:  resp.AccessToken.Reveal(),
		TokenType:    "Bearer",
		ExpiresIn:    resp.ExpiresIn,
		Scope:        resp.Scope,
		RefreshToken: resp.RefreshToken.Reveal(),
		IDToken:      resp.IDToken.Reveal(),
	})
}
