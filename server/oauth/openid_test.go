package oauth_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"html"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"latchkey/clients"
	"latchkey/server/servertest"
)

// verified reads an ID token as a client does: by the published keys.
func verified(t *testing.T, s *servertest.Server, raw, alg string) map[string]any {
	t.Helper()
	var keys jose.JSONWebKeySet
	if err := jsonInto(s.Get("/oauth2/jwks").Expect(200).Body, &keys); err != nil {
		t.Fatal(err)
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatalf("not signed with %s: %v", alg, err)
	}
	claims := map[string]any{}
	if err := parsed.Claims(keys, &claims); err != nil { // go-jose takes the key that the header names
		t.Fatal(err)
	}
	return claims
}

func TestIDToken(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t)
			if alg != "RS256" { // the default
				_, err := s.Clients().Update(t.Context(), "web", func(r *clients.Registration) error {
					r.IDTokenSignedResponseAlg = alg
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			b := s.Browser()
			got := s.Redeem(s.Web, b.Code(s.Web, "scope", "openid profile email")).Expect(200)
			claims := verified(t, s, got.String("id_token"), alg)
			now := float64(s.Clock.Now().Unix())
			for name, want := range map[string]any{
				"iss": s.URL, "sub": "1", "aud": "web", "nonce": servertest.Nonce, "iat": now, "exp": now + 3600, "auth_time": now,
			} {
				if claims[name] != want {
					t.Errorf("%s is %v, want %v", name, claims[name], want)
				}
			}
			if fmt.Sprint(claims["amr"]) != "[pwd]" || claims["sid"] == nil {
				t.Errorf("amr %v, sid %v", claims["amr"], claims["sid"])
			}
			if _, ok := claims["email"]; ok {
				t.Error("the ID token tells what userinfo is for")
			}
			if claims["at_hash"] != hashOf(alg, got.String("access_token")) {
				t.Errorf("at_hash is %v", claims["at_hash"])
			}
			s.Clock.Advance(time.Minute)
			next := s.Refresh(s.Web, got.String("refresh_token")).Expect(200)
			again := verified(t, s, next.String("id_token"), alg)
			if again["nonce"] != nil || again["sub"] != "1" || again["auth_time"] != now || again["sid"] != claims["sid"] || again["iat"] != now+60 {
				t.Errorf("refreshed: %v", again)
			}
			if again["at_hash"] != hashOf(alg, next.String("access_token")) {
				t.Errorf("at_hash is %v", again["at_hash"])
			}
		})
	}
}

func TestWithoutOpenIDThereIsNoIDToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := s.Redeem(s.Web, s.Browser().Code(s.Web, "scope", "read")).Expect(200)
	if _, ok := got.JSON()["id_token"]; ok {
		t.Errorf("the answer is %s", got.Body)
	}
	s.Get("/oauth2/userinfo", bearer(got.String("access_token"))).ExpectError(403, "insufficient_scope")
}

func bearer(token string) servertest.Edit { return servertest.Header("Authorization", "Bearer "+token) }

func TestUserInfo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	all := s.Redeem(s.Web, b.Code(s.Web, "scope", "openid profile email")).Expect(200).String("access_token")
	s.Get("/oauth2/userinfo", bearer(all)).Expect(200).ExpectBody(`{"sub": "1", "name": "alice", "preferred_username": "alice", "updated_at": 1772366400}`)
	s.PostForm("/oauth2/userinfo", servertest.Form("access_token", all)).Expect(200)
	s.Do("POST", "/oauth2/userinfo", "", bearer(all)).Expect(200)
	little := s.Redeem(s.Web, b.Code(s.Web, "scope", "openid")).Expect(200).String("access_token")
	s.Get("/oauth2/userinfo", bearer(little)).Expect(200).ExpectBody(`{"sub": "1"}`)
	asked := s.Redeem(s.Web, b.Code(s.Web, "scope", "openid", "claims",
		`{"userinfo":{"preferred_username":null,"unknown":{"essential":true}},"id_token":{"name":{"essential":true}}}`)).Expect(200)
	s.Get("/oauth2/userinfo", bearer(asked.String("access_token"))).Expect(200).ExpectBody(`{"sub": "1", "preferred_username": "alice"}`)
	if name := servertest.Claims(t, asked.String("id_token"))["name"]; name != "alice" {
		t.Errorf("the name in the ID token is %v", name)
	}

	a := s.Get("/oauth2/userinfo").Expect(401)
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="latchkey"` {
		t.Errorf("without a token: %q", got)
	}
	s.Get("/oauth2/userinfo?access_token=" + all).Expect(401)
	a = s.Get("/oauth2/userinfo", bearer("nonsense")).ExpectError(401, "invalid_token")
	if !strings.Contains(a.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("%v", a.Header)
	}
	s.PostForm("/oauth2/userinfo", servertest.Form("access_token", all), bearer(all)).ExpectError(400, "invalid_request")
	if got := s.Get("/oauth2/userinfo", bearer(all), servertest.Header("Origin", servertest.Origin)).Header.Get("Access-Control-Allow-Origin"); got != servertest.Origin {
		t.Errorf("CORS: %q", got)
	}
}

func TestSignedUserInfo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	if _, err := s.Clients().Update(t.Context(), "web", func(r *clients.Registration) error {
		r.UserinfoSignedResponseAlg = "ES256"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	got := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200)
	a := s.Get("/oauth2/userinfo", bearer(got.String("access_token"))).Expect(200)
	if a.Header.Get("Content-Type") != "application/jwt" {
		t.Errorf("%v", a.Header)
	}
	claims := verified(t, s, a.Body, "ES256")
	if claims["iss"] != s.URL || claims["aud"] != "web" || claims["sub"] != "1" {
		t.Errorf("%v", claims)
	}
	// It is no ID token, though it looks like one.
	if page := s.Browser().Authorize(s.Web, "id_token_hint", a.Body); page.Response(servertest.Callback).Get("error") != "invalid_request" {
		t.Errorf("taken as an ID token: %s", page.Left)
	}
}

// RFC 8725 §3.11: one kind of token is not another.
func TestStatement33AccessTokensAreTyped(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200)
	access := got.String("access_token")
	head, err := base64.RawURLEncoding.DecodeString(strings.Split(access, ".")[0])
	if err != nil || !strings.Contains(string(head), `"typ":"at+jwt"`) {
		t.Errorf("the header is %s", head)
	}
	claims := servertest.Claims(t, access)
	for _, name := range []string{"iss", "aud", "sub", "client_id", "jti", "exp", "iat"} {
		if claims[name] == nil {
			t.Errorf("no %s", name)
		}
	}
	for _, other := range []string{got.String("id_token"), got.String("refresh_token"), ""} {
		if a := s.Get("/oauth2/userinfo", bearer(other)); a.Status != 401 {
			t.Errorf("%.20s… as an access token: %d", other, a.Status)
		}
	}
	if a := s.Introspect(s.Inspector, got.String("id_token")); a.JSON()["active"] != false {
		t.Errorf("an ID token is active: %s", a.Body)
	}
	for _, other := range []string{access, got.String("refresh_token")} {
		page := s.Browser().Authorize(s.Web, "id_token_hint", other)
		if page.Response(servertest.Callback).Get("error") != "invalid_request" {
			t.Errorf("taken as an ID token: %s", page.Left)
		}
	}
}

// publicKeys returns the published keys in each of their usual forms.
func publicKeys(t *testing.T, s *servertest.Server) (forms [][]byte) {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := jsonInto(s.Get("/oauth2/jwks").Expect(200).Body, &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		der, err := x509.MarshalPKIXPublicKey(key.Key)
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		forms = append(forms, der, text, bytes.TrimSpace(text))
	}
	if len(forms) < 6 {
		t.Fatalf("%d forms of keys", len(forms))
	}
	return forms
}

// RFC 8725 §2.1, §3.1: nothing in a header steers the check.
func TestStatement28HeadersSteerNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := s.Redeem(s.Web, s.Browser().Code(s.Web)).Expect(200)
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{got.String("access_token"), got.String("id_token")} {
		parts := strings.Split(token, ".")
		raw, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil {
			t.Fatal(err)
		}
		header := string(raw)
		kid := between(header, `"kid":"`, `"`)
		forged := []string{
			encode(strings.Replace(header, between(header, `"alg":"`, `"`), "none", 1)) + "." + parts[1] + ".",
			encode(strings.TrimSuffix(header, "}")+`,"crit":["x"],"x":1}`) + "." + parts[1] + "." + parts[2],
			encode(strings.TrimSuffix(header, "}")+`,"alg":"none"}`) + "." + parts[1] + "." + parts[2],
			encode(strings.TrimSuffix(header, "}")+`,"jku":"https://canary.example"}`) + "." + parts[1] + "." + parts[2],
			parts[0] + "." + parts[1] + "." + parts[2] + "A",
			parts[0] + "." + parts[1] + ".",
		}
		for _, key := range publicKeys(t, s) { // what everybody can read, as a secret
			input := encode(strings.Replace(header, between(header, `"alg":"`, `"`), "HS256", 1)) + "." + parts[1]
			mac := hmac.New(sha256.New, key)
			mac.Write([]byte(input))
			forged = append(forged, input+"."+encode(string(mac.Sum(nil))))
		}
		for _, embed := range []bool{false, true} {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: stranger, KeyID: kid}},
				&jose.SignerOptions{EmbedJWK: embed})
			if err != nil {
				t.Fatal(err)
			}
			body, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err != nil {
				t.Fatal(err)
			}
			signed, err := signer.Sign(body)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := signed.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			forged = append(forged, raw)
		}
		for i, f := range forged {
			if a := s.Get("/oauth2/userinfo", bearer(f)); a.Status != 401 {
				t.Errorf("%d: userinfo said %d", i, a.Status)
			}
			if a := s.Introspect(s.Inspector, f); a.JSON()["active"] != false {
				t.Errorf("%d: active", i)
			}
			page := s.Browser().Authorize(s.Web, "id_token_hint", f)
			if page.Response(servertest.Callback).Get("error") != "invalid_request" {
				t.Errorf("%d: a hint: %s", i, page.Left)
			}
		}
	}
}

func TestStatement46LogoutAsks(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const goodbye = servertest.Origin + "/goodbye"
	signedIn := func(b *servertest.Browser) bool {
		return b.Get("/account").Status == 200 && !b.Get("/account").Has("/login")
	}

	b := s.Browser()
	got := s.Redeem(s.Web, b.Code(s.Web)).Expect(200)
	hint := got.String("id_token")
	path := func(pairs ...string) string { return "/oauth2/logout?" + servertest.Form(pairs...).Encode() }

	page := b.Follow(path("post_logout_redirect_uri", goodbye, "client_id", "web", "state", "a b"))
	if !page.Has("/oauth2/logout") || !signedIn(b) {
		t.Fatalf("not asked: %d %s", page.Status, page.Left)
	}
	if back := page.Form("/oauth2/logout").Press("decision", "cancel"); !signedIn(b) || back.Left != "" {
		t.Error("cancelled, and signed out all the same")
	}
	ticket := page.Form("/oauth2/logout").Fields.Get("request")
	other := s.Browser()
	other.SignIn()
	if page := other.Post("/oauth2/logout", "request", ticket, "decision", "logout"); page.Status != 403 || !signedIn(other) {
		t.Errorf("another session's ticket: %d", page.Status)
	}
	if page := b.PostForeign("/oauth2/logout", "decision", "logout"); !signedIn(b) || page.Left != "" {
		t.Error("a foreign form signed out")
	}
	// An ID token of another browser's session proves nothing about this one.
	if page := other.Follow(path("id_token_hint", hint)); !page.Has("/oauth2/logout") || !signedIn(other) {
		t.Error("another session's hint signed out")
	}
	for _, evil := range []string{"https://evil.example", goodbye + "/", goodbye + "?x=1", "//evil.example", "https:\\\\app.example\\goodbye", "javascript:alert(1)", "https://app.example@evil.example/goodbye"} {
		again := s.Browser()
		code := s.Redeem(s.Web, again.Code(s.Web)).Expect(200)
		page := again.Follow(path("id_token_hint", code.String("id_token"), "post_logout_redirect_uri", evil))
		if page.Left != "" || page.Status != 200 || !signedIn(again) || !strings.Contains(page.Body, html.EscapeString(evil)) {
			t.Fatalf("%s: not asked: %d %s", evil, page.Status, page.Left)
		}
		page = page.Form("/oauth2/logout").Press("decision", "logout")
		if page.Left != "" || page.Status != 200 || signedIn(again) || !strings.Contains(page.Body, html.EscapeString(evil)) {
			t.Errorf("%s: %d %s", evil, page.Status, page.Left)
		}
	}
	s.Clock.Advance(2 * time.Hour) // the hint may have expired
	page = b.Follow(path("id_token_hint", hint, "post_logout_redirect_uri", goodbye, "state", "a b&c"))
	if page.Left != goodbye+"?state=a+b%26c" || signedIn(b) {
		t.Errorf("at %q", page.Left)
	}
	s.Refresh(s.Web, got.String("refresh_token")).ExpectError(400, "invalid_grant")
	if a := s.Introspect(s.Inspector, got.String("access_token")); a.JSON()["active"] != false {
		t.Errorf("the access token lives: %s", a.Body)
	}
	// Nobody is signed in any more: there is nothing to ask.
	if page := b.Follow(path("id_token_hint", hint, "post_logout_redirect_uri", goodbye)); page.Left != goodbye {
		t.Errorf("at %q (%d)", page.Left, page.Status)
	}
}

// OpenID Connect Core §11.
func TestOfflineAccessOutlivesALogout(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	offline := s.Redeem(s.Web, b.Code(s.Web, "scope", "openid offline_access")).Expect(200)
	online := s.Redeem(s.Web, b.Code(s.Web)).Expect(200)
	page := b.Follow("/oauth2/logout?" + servertest.Form("id_token_hint", online.String("id_token")).Encode())
	if page.Status != 200 {
		t.Fatalf("%d", page.Status)
	}
	s.Refresh(s.Web, offline.String("refresh_token")).Expect(200)
	s.Refresh(s.Web, online.String("refresh_token")).ExpectError(400, "invalid_grant")
}

// Statement 40 for codes: whatever ends the session, nothing minted later survives it.
func TestStatement40CodesAgainstLogouts(t *testing.T) {
	t.Parallel()
	forEachServer(t, func(t *testing.T, s *servertest.Server) {
		for range 10 {
			b := s.Browser()
			first := s.Redeem(s.Portal, b.Code(s.Portal)).Expect(200)
			code := b.Code(s.Portal)
			var redeemed *servertest.Answer
			var wg sync.WaitGroup
			wg.Go(func() { redeemed = s.Redeem(s.Portal, code) })
			wg.Go(func() {
				b.Follow("/oauth2/logout?" + servertest.Form("id_token_hint", first.String("id_token")).Encode())
			})
			wg.Wait()
			if redeemed.Status == 200 {
				s.Refresh(s.Portal, redeemed.String("refresh_token")).ExpectError(400, "invalid_grant")
			}
		}
	})
}

func TestIDTokenHintNamesTheUser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	hint := s.Redeem(s.Portal, b.Code(s.Portal)).Expect(200).String("id_token")
	if b.Authorize(s.Portal, "prompt", "none", "id_token_hint", hint).Response(servertest.Callback).Get("code") == "" {
		t.Error("the hinted user is signed in")
	}
	s.AddUser(newUser("bob"), "another password")
	other := s.Browser()
	other.SignInAs("bob", "another password")
	refusal(t, s, other.Authorize(s.Portal, "prompt", "none", "id_token_hint", hint), "login_required")
	s.Clock.Advance(time.Second)
	page := other.Authorize(s.Portal, "id_token_hint", hint)
	if !page.Has("/login") {
		t.Fatalf("bob went on as alice: %s", page.Left)
	}
	page = page.Form("/login").Set("username", "bob", "password", "another password").Submit()
	refusal(t, s, page, "login_required") // and not round in circles
	refusal(t, s, other.Authorize(s.Portal, "claims", `{"id_token":{"sub":{"value":"1"}}}`, "prompt", "none"), "login_required")
	refusal(t, s, other.Authorize(s.Portal, "claims", `{"id_token":`), "invalid_request")
}
