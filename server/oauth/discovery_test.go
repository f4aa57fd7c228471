package oauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"latchkey/clients"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
)

// walk is a server with its discovery document, as a client that knows nothing else reads it.
type walk struct {
	*servertest.Server
	t   *testing.T
	doc map[string]any
	// rp is a confidential client for codes, registered without scopes; its user has everything that claims can tell.
	rp servertest.Client
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	s := registering(t, "open")
	s.AddUser(users.NewUser{Username: "claire", Email: "claire@example.com", Active: true, Profile: storage.UserProfile{
		GivenName: "Claire", FamilyName: "Voyant", Picture: "https://img.example/claire", Locale: "fr", ZoneInfo: "Europe/Paris", Groups: []string{"seers"},
		Attributes: json.RawMessage(`{"middle_name":"M","nickname":"C","profile":"https://c.example","website":"https://c.example","gender":"female","birthdate":"0000-04-01"}`),
	}}, "claire's password")
	if _, err := s.Clients().AddResource(t.Context(), storage.Resource{Identifier: "https://api.example/", Scopes: []string{"read", "write"}}); err != nil {
		t.Fatal(err)
	}
	rp := s.AddClient(clients.Registration{ID: "rp", Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
		ClientName: "Relying party", GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials", "password", clients.GrantDeviceCode},
		RedirectURIs: []string{servertest.Callback}, TokenEndpointAuthMethod: "client_secret_post",
	}})
	return &walk{Server: s, t: t, doc: s.Get("/.well-known/openid-configuration").Expect(200).JSON(), rp: rp}
}

func (w *walk) list(name string) (values []string) {
	w.t.Helper()
	list, _ := w.doc[name].([]any)
	for _, v := range list {
		values = append(values, v.(string))
	}
	if len(values) == 0 {
		w.t.Fatalf("%s is not advertised", name)
	}
	return values
}

func (w *walk) text(name string) string {
	w.t.Helper()
	text, ok := w.doc[name].(string)
	if !ok {
		w.t.Fatalf("%s is not advertised", name)
	}
	return text
}

// signedIn makes a browser in which claire is signed in.
func (w *walk) signedIn() *servertest.Browser {
	b := w.Browser()
	b.SignInAs("claire", "claire's password")
	return b
}

// post is client_secret_post, which the kit does not do by itself.
func (w *walk) post(path string, pairs ...string) *servertest.Answer {
	form := servertest.Form(pairs...)
	form.Set("client_id", w.rp.ID)
	form.Set("client_secret", w.rp.Secret.Reveal())
	return w.PostForm(path, form)
}

// code gets a code for the relying party.
func (w *walk) code(pairs ...string) string {
	w.t.Helper()
	return w.signedIn().Code(w.rp, append([]string{"scope", ""}, pairs...)...)
}

func (w *walk) redeem(code string) *servertest.Answer {
	return w.post(w.text("token_endpoint"), "grant_type", "authorization_code", "code", code, "redirect_uri", servertest.Callback, "code_verifier", servertest.Verifier)
}

// Statement 67: every advertised value works and nothing unadvertised does.
func TestStatement67Endpoints(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	for name, method := range map[string]string{
		"authorization_endpoint": "GET", "token_endpoint": "POST", "pushed_authorization_request_endpoint": "POST", "userinfo_endpoint": "GET",
		"end_session_endpoint": "GET", "revocation_endpoint": "POST", "introspection_endpoint": "POST", "registration_endpoint": "POST", "jwks_uri": "GET",
		"device_authorization_endpoint": "POST",
	} {
		if a := w.Do(method, w.text(name), ""); a.Status == 404 || a.Status == 405 || a.Status >= 500 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for name := range w.doc {
		if strings.HasSuffix(name, "_endpoint") && !strings.HasPrefix(w.text(name), w.text("issuer")+"/") {
			t.Errorf("%s is elsewhere: %s", name, w.text(name))
		}
	}
	for _, path := range []string{"/oauth2/device", "/oauth2/bc-authorize", "/oauth2/introspection", "/oauth2/sessions", "/oauth2/certs"} {
		w.Get(path).Expect(404)
	}
}

func TestStatement67Grants(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	endpoint := w.text("token_endpoint")
	first := w.redeem(w.code("scope", "read")).Expect(200)
	for _, grant := range w.list("grant_types_supported") {
		switch grant {
		case "authorization_code":
			w.redeem(w.code("scope", "read")).Expect(200)
		case clients.GrantDeviceCode: // nobody has answered yet: package device has the rest
			asked := w.post(w.text("device_authorization_endpoint"), "scope", "read").Expect(200)
			w.post(endpoint, "grant_type", grant, "device_code", asked.String("device_code")).ExpectError(400, "authorization_pending")
		default:
			w.post(endpoint, "grant_type", grant, "username", "claire", "password", "claire's password", "refresh_token", first.String("refresh_token")).Expect(200)
		}
	}
	for _, grant := range []string{
		"implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer",
		"urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:openid:params:grant-type:ciba",
	} {
		w.post(endpoint, "grant_type", grant, "subject_token", "x", "assertion", "x", "device_code", "x").ExpectError(400, "unsupported_grant_type")
	}
}

func TestStatement67AuthorizationRequests(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	b := w.signedIn()
	// refused gives the error with which the browser is sent back, or that of the page.
	refused := func(pairs ...string) string {
		p := b.Authorize(w.rp, append([]string{"scope", "openid"}, pairs...)...)
		if p.Left == "" {
			return fmt.Sprintf("a page (%d)", p.Status)
		}
		u, _ := url.Parse(p.Left)
		return u.Query().Get("error")
	}
	if got := w.list("response_types_supported"); !slices.Equal(got, []string{"code"}) {
		t.Errorf("response types are %q", got)
	}
	for _, kind := range []string{"token", "id_token", "code id_token", "code token", "id_token token", "code id_token token", "none"} {
		if got := refused("response_type", kind); got != "unsupported_response_type" {
			t.Errorf("response_type=%s: %s", kind, got)
		}
	}
	for _, mode := range w.list("response_modes_supported") {
		p := b.Authorize(w.rp, "scope", "openid", "response_mode", mode)
		switch mode {
		case "query":
			if p.Response(servertest.Callback).Get("code") == "" {
				t.Errorf("query: %s", p.Left)
			}
		case "form_post":
			if forms := p.Forms(); len(forms) != 1 || forms[0].Action != servertest.Callback || forms[0].Fields.Get("code") == "" {
				t.Errorf("form_post: %s", p.Body)
			}
		default:
			t.Errorf("the mode %s is not tried here", mode)
		}
	}
	for _, mode := range []string{"fragment", "web_message", "jwt", "query.jwt", "form_post.jwt"} {
		if got := refused("response_mode", mode); got == "" {
			t.Errorf("response_mode=%s worked", mode)
		}
	}
	for _, method := range []string{"S256", "plain", "", "s256", "S512"} {
		got := refused("code_challenge_method", method)
		if advertised := slices.Contains(w.list("code_challenge_methods_supported"), method); advertised != (got == "") {
			t.Errorf("code_challenge_method=%q: %q, advertised is %v", method, got, advertised)
		}
	}
	for _, prompt := range append(w.list("prompt_values_supported"), "create", "LOGIN", "x") {
		got := refused("prompt", prompt)
		if advertised := slices.Contains(w.list("prompt_values_supported"), prompt); advertised == (got == "invalid_request") {
			t.Errorf("prompt=%s: %q, advertised is %v", prompt, got, advertised)
		}
	}
	if got := b.Authorize(w.rp, "scope", "openid").Response(servertest.Callback).Get("iss"); got != w.text("issuer") {
		t.Errorf("iss is %q", got)
	}
	// Request objects are for clients with keys, which this one has not; TestRequestObject is about those.
	for name, value := range map[string]string{"request": "eyJhbGciOiJub25lIn0.e30.", "request_uri": "https://rp.example/request"} {
		if got := refused(name, value); w.doc[name+"_parameter_supported"] != (name == "request") || got == "" {
			t.Errorf("%s: %q, advertised is %v", name, got, w.doc[name+"_parameter_supported"])
		}
	}
	pushed := w.post(w.text("pushed_authorization_request_endpoint"), "response_type", "code", "redirect_uri", servertest.Callback, "scope", "openid",
		"code_challenge", servertest.Challenge(), "code_challenge_method", "S256").Expect(201)
	p := b.Follow("/oauth2/authorize?" + servertest.Form("client_id", w.rp.ID, "request_uri", pushed.String("request_uri")).Encode())
	if p.Response(servertest.Callback).Get("code") == "" {
		t.Errorf("pushed: %s", p.Left)
	}
	for _, locale := range w.list("ui_locales_supported") {
		p := w.Browser().Authorize(w.rp, "scope", "openid", "ui_locales", locale)
		if !strings.Contains(p.Body, `<html lang="`+locale+`"`) {
			t.Errorf("ui_locales=%s: %.200s", locale, p.Body)
		}
	}
}

func TestStatement67Scopes(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	b := w.signedIn()
	for _, scope := range append(w.list("scopes_supported"), "phone", "address", "admin", "openid2") {
		asked := scope
		if scope != "openid" {
			asked = "openid " + scope
		}
		got := b.Authorize(w.rp, "scope", asked).Through().Response(servertest.Callback)
		advertised := slices.Contains(w.list("scopes_supported"), scope)
		if advertised && got.Get("code") == "" || !advertised && got.Get("error") != "invalid_scope" {
			t.Errorf("%s: %v, advertised is %v", scope, got, advertised)
		}
	}
}

// keyPair makes a key for an algorithm that assertions can be signed with, or that they can't.
func keyPair(t *testing.T, alg string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "EdDSA", "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// assertion is a client assertion (RFC 7523 §3).
func (w *walk) assertion(client, alg string, key any) string {
	w.t.Helper()
	if alg == "Ed25519" { // a name that go-jose does not know: RFC 9864
		_, payload, _ := strings.Cut(w.assertion(client, "EdDSA", key), ".")
		payload, _, _ = strings.Cut(payload, ".")
		input := encode(`{"alg":"Ed25519"}`) + "." + payload
		return input + "." + encode(string(ed25519.Sign(key.(ed25519.PrivateKey), []byte(input))))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	now := w.Clock.Now()
	raw, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: client, Subject: client, Audience: jwt.Audience{w.text("issuer")}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Minute)),
	}).Serialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func TestStatement67ClientAuthentication(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	algs := []string{"ES256", "EdDSA", "Ed25519", "RS256", "PS256", "ES384", "RS512", "HS256"}
	keys := map[string]any{}
	for _, alg := range algs {
		if alg == "HS256" {
			keys[alg] = []byte(w.Backend.Secret.Reveal())
			continue
		}
		key := keyPair(t, alg)
		keys[alg] = key
		public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}})
		if err != nil {
			t.Fatal(err)
		}
		w.AddClient(clients.Registration{ID: "key-" + alg, Metadata: clients.Metadata{
			GrantTypes: []string{"password"}, TokenEndpointAuthMethod: "private_key_jwt", JWKS: public,
		}})
	}
	for _, endpoint := range []string{"token", "revocation", "introspection"} {
		address := w.text(endpoint + "_endpoint")
		call := func(change func(url.Values), edits ...servertest.Edit) int {
			form := servertest.Form("grant_type", "password", "username", "claire", "password", "claire's password", "token", "x")
			change(form)
			return w.PostForm(address, form, edits...).Status
		}
		methods := w.list(endpoint + "_endpoint_auth_methods_supported")
		got := map[string]int{
			"client_secret_basic": call(func(url.Values) {}, w.Backend.Basic()),
			"client_secret_post": call(func(f url.Values) {
				f.Set("client_id", w.rp.ID)
				f.Set("client_secret", w.rp.Secret.Reveal())
			}),
			"none": call(func(f url.Values) { f.Set("client_id", w.SPA.ID) }),
		}
		asserted := func(client, alg string) int {
			return call(func(f url.Values) {
				f.Set("client_id", client)
				f.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
				f.Set("client_assertion", w.assertion(client, alg, keys[alg]))
			})
		}
		got["private_key_jwt"] = asserted("key-ES256", "ES256")
		got["client_secret_jwt"] = asserted(w.Backend.ID, "HS256")
		for method, status := range got {
			if advertised := slices.Contains(methods, method); advertised != (status == 200) || !advertised && status != 401 {
				t.Errorf("%s with %s: %d, advertised is %v", endpoint, method, status, advertised)
			}
		}
		for _, alg := range algs[:len(algs)-1] {
			status := asserted("key-"+alg, alg)
			if advertised := slices.Contains(w.list(endpoint+"_endpoint_auth_signing_alg_values_supported"), alg); advertised != (status == 200) {
				t.Errorf("%s signed with %s: %d, advertised is %v", endpoint, alg, status, advertised)
			}
		}
	}
}

func TestStatement67SignaturesForTheClient(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	for _, alg := range []string{"RS256", "ES256", "EdDSA", "HS256", "none", "PS256", "ES384"} {
		set := map[string]func(*clients.Registration){
			"id_token": func(r *clients.Registration) { r.IDTokenSignedResponseAlg = alg },
			"userinfo": func(r *clients.Registration) { r.UserinfoSignedResponseAlg = alg },
		}
		for _, what := range []string{"id_token", "userinfo"} {
			_, err := w.Clients().Update(t.Context(), w.rp.ID, func(r *clients.Registration) error { set[what](r); return nil })
			advertised := slices.Contains(w.list(what+"_signing_alg_values_supported"), alg)
			if advertised != (err == nil) {
				t.Errorf("%s with %s: %v, advertised is %v", what, alg, err, advertised)
			}
			if !advertised {
				continue
			}
			tokens := w.redeem(w.code("scope", "openid")).Expect(200)
			raw := tokens.String("id_token")
			if what == "userinfo" {
				raw = w.Get(w.text("userinfo_endpoint"), bearer(tokens.String("access_token"))).Expect(200).Body
			}
			verified(t, w.Server, raw, alg)
		}
	}
}

func TestStatement67Claims(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	tokens := w.redeem(w.code("scope", "openid profile email groups")).Expect(200)
	told := verified(t, w.Server, tokens.String("id_token"), "RS256")
	for name, value := range w.Get(w.text("userinfo_endpoint"), bearer(tokens.String("access_token"))).Expect(200).JSON() {
		told[name] = value
	}
	advertised := w.list("claims_supported")
	for _, claim := range advertised {
		if told[claim] == nil {
			t.Errorf("%s is advertised, and told nowhere", claim)
		}
	}
	// Claims that are no statement about the user or the login need no mention.
	for claim := range told {
		if !slices.Contains(append(advertised, "nonce", "at_hash", "jti", "azp"), claim) {
			t.Errorf("%s is told, and not advertised", claim)
		}
	}
	if w.doc["claims_parameter_supported"] != true {
		t.Error("the claims parameter is not advertised")
	}
	tokens = w.redeem(w.code("scope", "openid", "claims", `{"id_token": {"email": {"essential": true}}, "userinfo": {"preferred_username": null}}`)).Expect(200)
	if got := verified(t, w.Server, tokens.String("id_token"), "RS256")["email"]; got != "claire@example.com" {
		t.Errorf("claims parameter: email is %v", got)
	}
	if got := w.Get(w.text("userinfo_endpoint"), bearer(tokens.String("access_token"))).Expect(200).String("preferred_username"); got != "claire" {
		t.Errorf("claims parameter: preferred_username is %q", got)
	}
	if got := w.list("subject_types_supported"); !slices.Equal(got, []string{"public"}) {
		t.Errorf("subject types are %q", got)
	}
}

// What the document says of logouts is what a client can register for.
func TestStatement67Logout(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	if w.doc["backchannel_logout_supported"] != true || w.doc["backchannel_logout_session_supported"] != true {
		t.Errorf("back-channel logout is not advertised: %v", w.doc)
	}
	a := w.PostJSON(w.text("registration_endpoint"), app("backchannel_logout_uri", "https://app.example/out", "backchannel_logout_session_required", true,
		"frontchannel_logout_uri", "https://app.example/front")).Expect(201)
	if a.JSON()["backchannel_logout_session_required"] != true {
		t.Errorf("the answer is %s", a.Body)
	}
	if _, ok := a.JSON()["frontchannel_logout_uri"]; ok || w.doc["frontchannel_logout_supported"] != nil {
		t.Error("front-channel logout is not supported, and shown")
	}
}
