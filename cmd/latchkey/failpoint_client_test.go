package main

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"latchkey/latchkeytest/form"
	"latchkey/storage"
)

func (k *killed) login(client string) reply {
	if client == "simplejwt" {
		return k.request(http.MethodPost, "/api/token/", "application/json", `{"username":"`+failpointUser+`","password":"`+failpointPassword+`"}`)
	}
	return k.post("/oauth2/token", url.Values{"grant_type": {"password"}, "client_id": {client}, "username": {failpointUser}, "password": {failpointPassword}})
}

func (k *killed) refresh(client, token string) reply {
	if client == "simplejwt" {
		return k.request(http.MethodPost, "/api/token/refresh/", "application/json", `{"refresh":"`+token+`"}`)
	}
	return k.post("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {token}})
}

// refreshToken returns the refresh token of an answer.
func refreshToken(r reply) string {
	var tokens struct {
		Refresh      string
		RefreshToken string `json:"refresh_token"`
	}
	json.Unmarshal([]byte(r.body), &tokens)
	return tokens.Refresh + tokens.RefreshToken
}

func (k *killed) mustRefresh(client string, tokens reply) {
	k.t.Helper()
	if client == "off" && tokens.ok() && refreshToken(tokens) == "" {
		return
	}
	if r := k.refresh(client, refreshToken(tokens)); !tokens.ok() || !r.ok() {
		k.t.Errorf("%d %s; then a refresh: %d %s", tokens.status, tokens.body, r.status, r.body)
	}
}

// open opens a page, and submits its forms: credentials at the login, what is asked elsewhere is allowed. The pairs fill are names and values of other inputs.
func (k *killed) open(jar http.CookieJar, path string, fill ...string) reply {
	r := k.follow(jar, form.Request(k.t, http.MethodGet, k.Issuer+path, nil))
	for range 4 {
		if r.status != http.StatusOK {
			return r
		}
		document, err := html.Parse(strings.NewReader(r.body))
		if err != nil {
			k.t.Fatal(err)
		}
		var found *html.Node
		for n := range document.Descendants() {
			if n.DataAtom == atom.Form && found == nil {
				found = n
			}
		}
		if found == nil {
			return r
		}
		values, names := form.Fields(found)
		if slices.Contains(names, "password") {
			values.Set("username", failpointUser)
			values.Set("password", failpointPassword)
		}
		for i := 0; i < len(fill); i += 2 {
			if slices.Contains(names, fill[i]) {
				values.Set(fill[i], fill[i+1])
			}
		}
		if slices.Contains(names, "decision") {
			values.Set("decision", "allow")
		}
		r = k.follow(jar, form.Submit(k.t, r.page, found, values))
	}
	return r
}

func (k *killed) signIn(jar http.CookieJar) reply { return k.open(jar, "/login") }

func (k *killed) authorize(jar http.CookieJar, client, prompt string) reply {
	return k.open(jar, "/oauth2/authorize?"+url.Values{
		"prompt":        {prompt},
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode())
}

func (k *killed) code(jar http.CookieJar) string {
	k.t.Helper()
	r := k.authorize(jar, "web", "")
	to, err := url.Parse(r.location)
	if err != nil || to.Query().Get("code") == "" {
		k.t.Fatalf("no code: %d %s %s", r.status, r.location, r.body)
	}
	return to.Query().Get("code")
}

func (k *killed) redeem(code string) reply {
	return k.post("/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"web"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	})
}

func (k *killed) logOut(jar http.CookieJar) reply { return k.open(jar, "/oauth2/logout") }

func (k *killed) device() (code, user string) {
	k.t.Helper()
	r := k.post("/oauth2/device_authorization", url.Values{"client_id": {"tv"}, "scope": {"openid"}})
	var answer struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
		k.t.Fatalf("%d %s", r.status, r.body)
	}
	return answer.DeviceCode, answer.UserCode
}

func (k *killed) allowDevice(jar http.CookieJar, user string) reply {
	return k.open(jar, "/device", "user_code", user)
}

// approve is allowDevice without a page: user codes have a limit of attempts.
func (k *killed) approve(code string) {
	k.t.Helper()
	user, err := k.store.UserByUsername(k.t.Context(), failpointUser)
	if err != nil {
		k.t.Fatal(err)
	}
	now := time.Now()
	if err := k.store.AnswerDeviceCode(k.t.Context(), storage.DeviceAnswer{
		Hash: sha256.Sum256([]byte(code)), Decision: storage.DeviceApproved, UserID: user.ID, UserEpoch: user.AuthEpoch, AuthTime: now, Now: now,
	}, nil); err != nil {
		k.t.Fatal(err)
	}
}

// registered returns the clients that have registered themselves.
func (k *killed) registered() []*storage.Client {
	k.t.Helper()
	list, err := k.store.ListClients(k.t.Context(), "", 1000)
	if err != nil {
		k.t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(c *storage.Client) bool { return c.Origin != storage.OriginRegistration })
}

func (k *killed) poll(code string) reply {
	return k.post("/oauth2/token", url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"tv"}, "device_code": {code},
	})
}
