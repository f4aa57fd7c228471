package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	base    string // the server's URL
	http    *http.Client
	machine latchkeytest.Client // client_credentials
	app     latchkeytest.Client // password, refresh_token: confidential, the default rotation
	api     latchkeytest.Client // introspects
	site    latchkeytest.Client // authorization_code, without a consent page
	ec, rsa latchkeytest.Client // password, refresh_token with an ID token, by the algorithm of its signature
	users   []string
}

func newHTTPClient(users int) *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: users, DisableCompression: true}}
}

func newWorld(ctx context.Context, s *latchkeytest.Instance, users int) (*world, error) {
	w := &world{base: s.Issuer, http: newHTTPClient(users)}
	for _, c := range []struct {
		client *latchkeytest.Client
		flags  []string
	}{
		{&w.machine, []string{"--grant-type", "client_credentials", "--scope", "read write"}},
		{&w.app, []string{"--grant-type", "password,refresh_token", "--scope", "read write"}},
		{&w.api, []string{"--grant-type", "client_credentials", "--introspect-all"}},
		{&w.site, []string{
			"--grant-type", "authorization_code,refresh_token", "--redirect-uri", callback, "--scope", "openid read offline_access", "--first-party",
		}},
		{&w.ec, []string{"--grant-type", "password,refresh_token", "--scope", "openid", "--id-token-signed-response-alg", "ES256"}},
		{&w.rsa, []string{"--grant-type", "password,refresh_token", "--scope", "openid", "--id-token-signed-response-alg", "RS256"}},
	} {
		var err error
		if *c.client, err = s.AddClient(ctx, c.flags...); err != nil {
			return nil, err
		}
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
	client          latchkeytest.Client // that of its session
	scope           string
	access, refresh string
	cookie          string
	stock           []string // refresh tokens of sessions that wait to be revoked
	sessions        []session
}

// scenario is one kind of request.
type scenario struct {
	name string
	// floor is the request to compare with; empty where none is like it.
	floor   string
	prepare func(*visitor, context.Context) error // once, before the first warm-up; may be nil
	request func(*visitor, context.Context) error
}

func scenarios() []scenario {
	session := func(client func(*world) latchkeytest.Client, scope string) func(*visitor, context.Context) error {
		return func(v *visitor, ctx context.Context) error {
			v.client, v.scope = client(v.world), scope
			return v.password(ctx)
		}
	}
	app := session(func(w *world) latchkeytest.Client { return w.app }, "")
	return []scenario{
		{"refresh", floorWrite, app, (*visitor).refreshed},
		{"simplejwt-refresh", floorWrite, (*visitor).obtain, (*visitor).simplejwtRefresh},
		{"refresh-openid-es256", floorWrite, session(func(w *world) latchkeytest.Client { return w.ec }, "openid"), (*visitor).refreshed},
		{"refresh-openid-rs256", floorWrite, session(func(w *world) latchkeytest.Client { return w.rsa }, "openid"), (*visitor).refreshed},
		{revokes, floorWrite, (*visitor).signIn, (*visitor).revoke},
		{"introspect", floorRead, app, (*visitor).introspect},
		{"userinfo", floorRead, session(func(w *world) latchkeytest.Client { return w.ec }, "openid"), (*visitor).userinfo},
		{"client_credentials", "", nil, (*visitor).clientCredentials},
		{"discovery", floorStatic, nil, get("/.well-known/openid-configuration")},
		{"jwks", floorStatic, nil, get("/oauth2/jwks")},
		{"code", "", (*visitor).signIn, (*visitor).plainCode},
		{"code-openid", "", (*visitor).signIn, (*visitor).openIDCode},
		{"password", "", app, (*visitor).password},
		{"simplejwt-obtain", "", nil, (*visitor).obtain},
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
	form := url.Values{"grant_type": {"password"}, "username": {v.name}, "password": {password}}
	if v.scope != "" {
		form.Set("scope", v.scope)
	}
	return v.token(ctx, form)
}

func (v *visitor) refreshed(ctx context.Context) error {
	return v.token(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.refresh}})
}

func (v *visitor) token(ctx context.Context, form url.Values) error {
	a, err := v.form(ctx, "/oauth2/token", v.client, form)
	if err == nil && (a.AccessToken == "" || a.RefreshToken == "" || a.RefreshToken == v.refresh || v.scope != "" && a.IDToken == "") {
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

// revokes is the scenario that needs sessions to end, which its visitors begin before each turn.
const revokes = "revoke"

// stocked is how many sessions a visitor of the scenario revoke has when a turn begins. A visitor that has none left stops.
const stocked = 400

var errDone = errors.New("nothing is left to do")

func (v *visitor) fillStock(ctx context.Context) error {
	v.scope = "read"
	for len(v.stock) < stocked {
		if err := v.code(ctx); err != nil {
			return err
		}
		v.stock = append(v.stock, v.refresh)
	}
	return nil
}

func (v *visitor) revoke(ctx context.Context) error {
	if len(v.stock) == 0 {
		return errDone
	}
	token := v.stock[len(v.stock)-1]
	v.stock = v.stock[:len(v.stock)-1]
	_, err := v.form(ctx, "/oauth2/revoke", v.site, url.Values{"token": {token}})
	return err
}

func (v *visitor) userinfo(ctx context.Context) error {
	return v.get(ctx, "/oauth2/userinfo", v.access)
}

func get(path string) func(*visitor, context.Context) error {
	return func(v *visitor, ctx context.Context) error { return v.get(ctx, path, "") }
}

func (v *visitor) get(ctx context.Context, path, bearer string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return err
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := v.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || len(text) == 0) {
		err = fmt.Errorf("%s: %s: %.300s", path, res.Status, text)
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
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.base+path, body)
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
	if len(text) == 0 { // of a revocation
		return a, nil
	}
	return a, json.Unmarshal(text, &a)
}
