package oauth

import (
	"errors"
	"io"
	"net/http"

	"latchkey/server/bearer"
	"latchkey/server/internal/form"
	"latchkey/server/token"
	"latchkey/storage"
)

// UserInfo is the userinfo endpoint (OpenID Connect Core §5.3). The token comes in the header or, in a POST, in the form
// (RFC 6750 §2.1, §2.2); never in the query, which ends up in logs.
func (h *Handlers) UserInfo(w http.ResponseWriter, r *http.Request) error {
	req, err := accessToken(r)
	if err != nil {
		return err
	}
	req.Proof = h.proofOf(w, r, UserInfoPath)
	info, err := h.cfg.Tokens.UserInfo(r.Context(), req)
	if err != nil {
		return err
	}
	if info.JWT != "" {
		w.Header().Set("Content-Type", "application/jwt")
		_, err := io.WriteString(w, info.JWT.Reveal())
		return err
	}
	return writeJSON(w, info.Claims)
}

// accessToken reads the access token of a request. bearer.ErrNoToken: none was sent.
func accessToken(r *http.Request) (*token.UserInfoRequest, error) {
	scheme, header, err := bearer.FromHeader(r.Header)
	fromHeader := &token.UserInfoRequest{Token: header, DPoP: scheme == bearer.SchemeDPoP}
	if r.Method != http.MethodPost || !form.Is(r) {
		return fromHeader, err
	}
	f, formErr := readForm(r)
	if formErr != nil {
		return nil, formErr
	}
	switch inForm := storage.Secret(f.Get("access_token")); {
	case inForm == "":
		return fromHeader, err
	case len(r.Header.Values("Authorization")) > 0:
		return nil, bearer.ErrManyTokens()
	default:
		return &token.UserInfoRequest{Token: inForm}, nil
	}
}

// RenderBearerError writes an error as RFC 6750 §3 and RFC 9449 §7.1 have it. A request with one scheme learns why it was refused in that
// scheme's challenge; the other one is offered.
func RenderBearerError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, bearer.ErrNoToken) {
		bearer.Challenge(w.Header(), r.Header, err, "")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	e := protocolError(err)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		bearer.Challenge(w.Header(), r.Header, e, "")
	}
	renderJSON(w, r, e)
}
