package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"latchkey/latchkeytest"
)

const password = "correct horse battery staple"

// world is what the scenarios work on, made through the commands.
type world struct {
	server  *latchkeytest.Instance
	http    *http.Client
	machine latchkeytest.Client // client_credentials
	app     latchkeytest.Client // password, refresh_token: confidential, strict rotation, the default
	api     latchkeytest.Client // introspects
	site    latchkeytest.Client // authorization_code, without a consent page
	users   []string
}

func newWorld(ctx context.Context, s *latchkeytest.Instance, users int) (w *world, err error) {
	w = &world{server: s, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: users, DisableCompression: true}}}
	if w.machine, err = s.AddClient(ctx, "--grant-type", "client_credentials", "--scope", "read write"); err != nil {
		return nil, err
	}
	if w.app, err = s.AddClient(ctx, "--grant-type", "password,refresh_token", "--scope", "read write"); err != nil {
		return nil, err
	}
	if w.api, err = s.AddClient(ctx, "--grant-type", "client_credentials", "--introspect-all"); err != nil {
		return nil, err
	}
	w.site, err = s.AddClient(ctx, "--grant-type", "authorization_code,refresh_token", "--redirect-uri", callback, "--scope", "openid read", "--first-party")
	if err != nil {
		return nil, err
	}
	for i := range users {
		name := fmt.Sprintf("user%d", i)
		if _, err := s.Run(ctx, password+"\n", "user", "add", name, "--password-stdin"); err != nil {
			return nil, err
		}
		w.users = append(w.users, name)
	}
	return w, nil
}

// visitor is one virtual user. It holds its own session, and adopts each refresh token that it gets.
type visitor struct {
	*world
	name            string
	access, refresh string
	cookie, scope   string
}

// scenario is one kind of request.
type scenario struct {
	name    string
	prepare func(*visitor, context.Context) error // once, before the warm-up; may be nil
	request func(*visitor, context.Context) error
}

func scenarios() []scenario {
	return []scenario{
		{"client_credentials", nil, (*visitor).clientCredentials},
		{"introspect", (*visitor).password, (*visitor).introspect},
		{"refresh", (*visitor).password, (*visitor).refreshed},
		{"code", (*visitor).signIn, (*visitor).plainCode},
		{"code-openid", (*visitor).signIn, (*visitor).openIDCode},
		{"simplejwt-refresh", (*visitor).obtain, (*visitor).simplejwtRefresh},
		{"password", nil, (*visitor).password},
		{"simplejwt-obtain", nil, (*visitor).obtain},
	}
}

// answer has the fields of all answers that the scenarios look at.
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Access       string `json:"access"`
	Refresh      string `json:"refresh"`
	Active       bool   `json:"active"`
}

func (v *visitor) clientCredentials(ctx context.Context) error {
	a, err := v.form(ctx, "/oauth2/token", v.machine, url.Values{"grant_type": {"client_credentials"}})
	if err == nil && a.AccessToken == "" {
		err = errIncomplete
	}
	return err
}

func (v *visitor) password(ctx context.Context) error {
	return v.token(ctx, url.Values{"grant_type": {"password"}, "username": {v.name}, "password": {password}})
}

func (v *visitor) refreshed(ctx context.Context) error {
	return v.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.refresh}})
}

func (v *visitor) token(ctx context.Context, form url.Values) error {
	a, err := v.form(ctx, "/oauth2/token", v.app, form)
	if err == nil && (a.AccessToken == "" || a.RefreshToken == "" || a.RefreshToken == v.refresh) {
		err = errIncomplete
	}
	if err != nil {
		return err
	}
	v.access, v.refresh = a.AccessToken, a.RefreshToken
	return nil
}

func (v *visitor) introspect(ctx context.Context) error {
	a, err := v.form(ctx, "/oauth2/introspect", v.api, url.Values{"token": {v.access}})
	if err == nil && !a.Active {
		err = errIncomplete
	}
	return err
}

func (v *visitor) obtain(ctx context.Context) error {
	return v.simplejwt(ctx, "/api/token/", map[string]string{"username": v.name, "password": password})
}

func (v *visitor) simplejwtRefresh(ctx context.Context) error {
	return v.simplejwt(ctx, "/api/token/refresh/", map[string]string{"refresh": v.refresh})
}

func (v *visitor) simplejwt(ctx context.Context, path string, fields map[string]string) error {
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	a, err := v.post(ctx, path, "application/json", bytes.NewReader(body), latchkeytest.Client{})
	if err == nil && (a.Access == "" || a.Refresh == "" || a.Refresh == v.refresh) {
		err = errIncomplete
	}
	if err != nil {
		return err
	}
	v.access, v.refresh = a.Access, a.Refresh
	return nil
}

var errIncomplete = fmt.Errorf("200 without what was asked for")

func (v *visitor) form(ctx context.Context, path string, c latchkeytest.Client, form url.Values) (answer, error) {
	return v.post(ctx, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()), c)
}

// post sends a request, as the client when there is one.
func (v *visitor) post(ctx context.Context, path, contentType string, body io.Reader, c latchkeytest.Client) (a answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.server.Issuer+path, body)
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", contentType)
	if c.ID != "" {
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret)) // RFC 6749 §2.3.1
	}
	res, err := v.http.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return a, err
	}
	if res.StatusCode != http.StatusOK {
		return a, fmt.Errorf("%s: %s: %.300s", path, res.Status, text)
	}
	return a, json.Unmarshal(text, &a)
}
