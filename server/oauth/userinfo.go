package oauth

import (
	"errors"
	"io"
	"net/http"
	"strings"

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
	info, err := h.tokens.UserInfo(r.Context(), req)
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

// accessToken reads the access token of a request. errNoToken: none was sent.
func accessToken(r *http.Request) (*token.UserInfoRequest, error) {
	scheme, header, err := tokenHeader(r)
	fromHeader := &token.UserInfoRequest{Token: header, DPoP: scheme == schemeDPoP}
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
		return nil, errManyTokens()
	default:
		return &token.UserInfoRequest{Token: inForm}, nil
	}
}

// The schemes of tokens (RFC 6750 §2.1, RFC 9449 §7.1), in lower case.
const (
	schemeBearer = "bearer"
	schemeDPoP   = "dpop"
)

// bearerHeader reads the token of the scheme Bearer. errNoToken: there is none.
func bearerHeader(r *http.Request) (storage.Secret, error) {
	scheme, text, err := tokenHeader(r)
	if err == nil && scheme != schemeBearer {
		return "", errNoToken
	}
	return text, err
}

// tokenHeader reads the token of the Authorization header, and its scheme. errNoToken: there is none.
func tokenHeader(r *http.Request) (scheme string, text storage.Secret, err error) {
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return "", "", errManyTokens()
	}
	if len(headers) == 0 {
		return "", "", errNoToken
	}
	scheme, rest, _ := strings.Cut(headers[0], " ")
	scheme, rest = strings.ToLower(scheme), strings.TrimSpace(rest)
	if scheme != schemeBearer && scheme != schemeDPoP || rest == "" {
		return "", "", errNoToken
	}
	return scheme, storage.Secret(rest), nil
}

// errManyTokens: RFC 6750 §2 lets a client send a token in one way only.
func errManyTokens() error {
	return invalidRequest("The access token must be sent once, in one way.")
}

// errNoToken: RFC 6750 §3.1 wants no error code where no token was sent.
var errNoToken = errors.New("no access token")

// RenderBearerError writes an error as RFC 6750 §3 and RFC 9449 §7.1 have it. A request with one scheme learns why it was refused in that
// scheme's challenge; the other one is offered.
func RenderBearerError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNoToken) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="latchkey"`)
		w.Header().Add("WWW-Authenticate", dpopChallenge(""))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	e := protocolError(err)
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		why := `error="` + e.Code + `", error_description="` + describable(e.Description) + `"`
		if scheme, _, err := tokenHeader(r); err == nil && scheme == schemeDPoP {
			w.Header().Set("WWW-Authenticate", dpopChallenge(why+", "))
		} else {
			w.Header().Set("WWW-Authenticate", `Bearer realm="latchkey", `+why)
			w.Header().Add("WWW-Authenticate", dpopChallenge(""))
		}
	}
	renderJSON(w, r, e)
}
