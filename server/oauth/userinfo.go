package oauth

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"latchkey/server/internal/form"
	"latchkey/storage"
)

// UserInfo is the userinfo endpoint (OpenID Connect Core §5.3). The token comes in the header or, in a POST, in the form
// (RFC 6750 §2.1, §2.2); never in the query, which ends up in logs.
func (h *Handlers) UserInfo(w http.ResponseWriter, r *http.Request) error {
	bearer, err := bearerToken(r)
	if err != nil {
		return err
	}
	info, err := h.tokens.UserInfo(r.Context(), bearer)
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

// bearerToken reads the access token of a request. errNoToken: none was sent.
func bearerToken(r *http.Request) (storage.Secret, error) {
	header, err := bearerHeader(r)
	if r.Method != http.MethodPost || !form.Is(r) {
		return header, err
	}
	f, formErr := readForm(r)
	if formErr != nil {
		return "", formErr
	}
	switch inForm := storage.Secret(f.Get("access_token")); {
	case inForm == "":
		return header, err
	case len(r.Header.Values("Authorization")) > 0:
		return "", errManyTokens()
	default:
		return inForm, nil
	}
}

// bearerHeader reads the token of the Authorization header. errNoToken: there is none.
func bearerHeader(r *http.Request) (storage.Secret, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", errManyTokens()
	}
	if len(headers) == 0 {
		return "", errNoToken
	}
	scheme, text, _ := strings.Cut(headers[0], " ")
	text = strings.TrimSpace(text)
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return "", errNoToken
	}
	return storage.Secret(text), nil
}

// errManyTokens: RFC 6750 §2 lets a client send a token in one way only.
func errManyTokens() error {
	return invalidRequest("The access token must be sent once, in one way.")
}

// errNoToken: RFC 6750 §3.1 wants no error code where no token was sent.
var errNoToken = errors.New("no access token")

// RenderBearerError writes an error as RFC 6750 §3 has it.
func RenderBearerError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNoToken) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="latchkey"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	e := protocolError(err)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		w.Header().Set("WWW-Authenticate", `Bearer realm="latchkey", error="`+e.Code+`", error_description="`+describable(e.Description)+`"`)
	}
	renderJSON(w, r, e)
}
