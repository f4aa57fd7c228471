package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// callback is the redirect URI of the scenario's client. It is never visited: the code is read from the redirect.
const callback = "https://bench.example/callback"

const verifier = "a-code-verifier-that-is-the-same-for-every-request"

// signIn is what a browser does first: the login page.
func (v *visitor) signIn(ctx context.Context) error {
	form := url.Values{"username": {v.name}, "password": {password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.base+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := v.http.Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		v.cookie = c.Name + "=" + c.Value // a jar would not send it without TLS
	}
	if res.StatusCode != http.StatusSeeOther || v.cookie == "" {
		return fmt.Errorf("/login: %s", res.Status)
	}
	return nil
}

// code is one authorization with a live session, and the exchange of its code: two requests.
func (v *visitor) code(ctx context.Context) error {
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {v.site.ID}, "redirect_uri": {callback}, "scope": {v.scope}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+"/oauth2/authorize?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Cookie", v.cookie)
	res, err := v.http.Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		return fmt.Errorf("/oauth2/authorize: %s, to %q", res.Status, res.Header.Get("Location"))
	}
	a, err := v.form(ctx, "/oauth2/token", v.site, url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "code_verifier": {verifier},
	})
	if err == nil && (a.AccessToken == "" || (a.IDToken == "") == strings.Contains(v.scope, "openid")) {
		err = errIncomplete
	}
	v.refresh = a.RefreshToken
	return err
}

// openIDCode is code with an ID token, which has a signature of its own.
func (v *visitor) openIDCode(ctx context.Context) error {
	v.scope = "openid"
	return v.code(ctx)
}

func (v *visitor) plainCode(ctx context.Context) error {
	v.scope = "read"
	return v.code(ctx)
}
