package servertest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"
)

// What [Browser.Authorize] sends unless it is told otherwise.
const (
	// Callback is the redirect URI of Web and Portal.
	Callback = Origin + "/callback"
	// NativeCallback is that of Native, but for the port.
	NativeCallback = "http://127.0.0.1/callback"
	// Verifier is the code_verifier (RFC 7636 §4.1) of each request.
	Verifier = "a-code-verifier-that-every-test-may-use-again.1"
	State    = "the state"
	Nonce    = "the nonce"
)

// Challenge is the code_challenge of Verifier.
func Challenge() string {
	sum := sha256.Sum256([]byte(Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// AuthorizeParams are the parameters of an authorization request of a client, changed by names and values that follow each
// other; an empty value leaves a parameter out.
func (c Client) AuthorizeParams(pairs ...string) url.Values {
	params := Form(
		"response_type", "code", "client_id", c.ID, "redirect_uri", c.Redirect, "scope", "openid read", "state", State, "nonce", Nonce,
		"code_challenge", Challenge(), "code_challenge_method", "S256",
	)
	for i := 0; i < len(pairs); i += 2 {
		params.Del(pairs[i])
		if pairs[i+1] != "" {
			params.Set(pairs[i], pairs[i+1])
		}
	}
	return params
}

// AuthorizePath is where an application sends the browser; the pairs are as in AuthorizeParams.
func (c Client) AuthorizePath(pairs ...string) string {
	return "/oauth2/authorize?" + c.AuthorizeParams(pairs...).Encode()
}

// Authorize sends the browser to the authorization endpoint, as the client's site does.
func (b *Browser) Authorize(c Client, pairs ...string) *Page {
	b.s.t.Helper()
	return b.Follow(c.AuthorizePath(pairs...))
}

// Through goes through the pages, signing in and allowing what is asked, until the browser has left or nothing is asked any
// more.
func (p *Page) Through() *Page {
	p.t.Helper()
	for range 4 {
		switch {
		case p.Left != "":
			return p
		case p.Has("/login"):
			p = p.Form("/login").Set("username", Username, "password", Password).Submit()
		case p.Has("/consent"):
			p = p.Form("/consent").Press("decision", "allow")
		default:
			return p
		}
	}
	return p
}

// Response gives the parameters with which the browser has left. The test ends when it has not left for the prefix.
func (p *Page) Response(prefix string) url.Values {
	p.t.Helper()
	u, err := url.Parse(p.Left)
	if err != nil || !strings.HasPrefix(p.Left, prefix) {
		p.t.Fatalf("the browser is at %q (%d), not at %s: %s", p.Left, p.Status, prefix, p.Body)
	}
	return u.Query()
}

// Code gets an authorization code for a client, through all pages.
func (b *Browser) Code(c Client, pairs ...string) string {
	b.s.t.Helper()
	answer := b.Authorize(c, pairs...).Through().Response(c.Redirect)
	if answer.Get("code") == "" {
		b.s.t.Fatalf("no code: %v", answer)
	}
	return answer.Get("code")
}

// Redeem exchanges a code; the pairs change the form, an empty value leaves a field out.
func (s *Server) Redeem(c Client, code string, pairs ...string) *Answer {
	s.t.Helper()
	form := Form("grant_type", "authorization_code", "code", code, "redirect_uri", c.Redirect, "code_verifier", Verifier)
	for i := 0; i < len(pairs); i += 2 {
		form.Del(pairs[i])
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	var all []string
	for name := range form {
		all = append(all, name, form.Get(name))
	}
	return s.Token(c, all...)
}
