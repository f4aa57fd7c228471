package servertest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// Tokens is an answer of the token endpoint, or of /api/token/.
type Tokens struct{ Access, Refresh string }

// Login gets tokens for the user by the password grant and the client.
func (s *Server) Login(c Client) Tokens {
	s.t.Helper()
	a := s.Token(c, "grant_type", "password", "username", Username, "password", Password).Expect(http.StatusOK)
	return Tokens{Access: a.String("access_token"), Refresh: a.String("refresh_token")}
}

// LoginSimpleJWT gets tokens for the user from /api/token/.
func (s *Server) LoginSimpleJWT() Tokens {
	s.t.Helper()
	a := s.PostJSON("/api/token/", map[string]string{"username": Username, "password": Password}).Expect(http.StatusOK)
	return Tokens{Access: a.String("access"), Refresh: a.String("refresh")}
}

// RefreshSimpleJWT presents a refresh token to /api/token/refresh/.
func (s *Server) RefreshSimpleJWT(refresh string) *Answer {
	s.t.Helper()
	return s.PostJSON("/api/token/refresh/", map[string]string{"refresh": refresh})
}

// Refresh presents a refresh token of the client.
func (s *Server) Refresh(c Client, refresh string) *Answer {
	s.t.Helper()
	return s.Token(c, "grant_type", "refresh_token", "refresh_token", refresh)
}

// Token posts parameters to the token endpoint for the client.
func (s *Server) Token(c Client, parameters ...string) *Answer {
	s.t.Helper()
	return s.PostAs(c, "/oauth2/token", parameters...)
}

// Introspect asks about a token as the client.
func (s *Server) Introspect(c Client, token string) *Answer {
	s.t.Helper()
	return s.PostAs(c, "/oauth2/introspect", "token", token)
}

// Revoke ends a token as the client.
func (s *Server) Revoke(c Client, token string) *Answer {
	s.t.Helper()
	return s.PostAs(c, "/oauth2/revoke", "token", token)
}

// PostAs posts parameters, authenticated as the client: by client_secret_basic, or by its client_id when it is public.
func (s *Server) PostAs(c Client, path string, parameters ...string) *Answer {
	s.t.Helper()
	form := Form(parameters...)
	if c.Secret == "" {
		form.Set("client_id", c.ID)
		return s.PostForm(path, form)
	}
	return s.PostForm(path, form, c.Basic())
}

// Claims gives the claims of a JWT, unverified. The test ends when it is none.
func Claims(t testing.TB, raw string) map[string]any {
	t.Helper()
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", raw)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatalf("%q is no JWT: %v", raw, err)
	}
	claims := map[string]any{}
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatalf("%q is no JWT: %v", raw, err)
	}
	return claims
}

// IDToken gives the claims of the ID token of an answer, without verifying it.
func (a *Answer) IDToken() map[string]any {
	a.t.Helper()
	return Claims(a.t, a.String("id_token"))
}
