package oauth

import (
	"net/http"
	"strings"

	"latchkey/server/token"
	"latchkey/storage"
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
	resources, err := token.AskedResources(f)
	if err != nil {
		return err
	}
	resp, err := h.cfg.Tokens.Exchange(r.Context(), &token.Request{
		Client:       client,
		GrantType:    f.Get("grant_type"),
		Username:     f.Get("username"),
		Password:     storage.Secret(f.Get("password")),
		RefreshToken: storage.Secret(f.Get("refresh_token")),
		Code:         storage.Secret(f.Get("code")),
		CodeVerifier: storage.Secret(f.Get("code_verifier")),
		RedirectURI:  f.Get("redirect_uri"),
		DeviceCode:   storage.Secret(f.Get("device_code")),
		Scope:        strings.Fields(f.Get("scope")),
		Resource:     resources,
		Proof:        h.proofOf(w, r, TokenPath),
	})
	if err != nil {
		return err
	}
	return writeJSON(w, tokenResponse{
		AccessToken:  resp.AccessToken.Reveal(),
		TokenType:    resp.TokenType,
		ExpiresIn:    resp.ExpiresIn,
		Scope:        resp.Scope,
		RefreshToken: resp.RefreshToken.Reveal(),
		IDToken:      resp.IDToken.Reveal(),
	})
}
