package oauth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
)

// bound is a server with a public and a confidential client and a key of each.
type bound struct {
	*servertest.Server
	key, other *servertest.Key
}

func newBound(t *testing.T, opts ...servertest.Option) *bound {
	return &bound{servertest.New(t, opts...), servertest.NewKey(t), servertest.NewKey(t)}
}

// as posts to the token endpoint with edits.
func (b *bound) as(c servertest.Client, edits []servertest.Edit, pairs ...string) *servertest.Answer {
	form := servertest.Form(pairs...)
	if c.Secret == "" {
		form.Set("client_id", c.ID)
	} else {
		edits = append(edits, c.Basic())
	}
	return b.PostForm("/oauth2/token", form, edits...)
}

func (b *bound) login(c servertest.Client, edits ...servertest.Edit) *servertest.Answer {
	return b.as(c, edits, "grant_type", "password", "username", servertest.Username, "password", string(servertest.Password))
}

func (b *bound) refresh(c servertest.Client, token string, edits ...servertest.Edit) *servertest.Answer {
	return b.as(c, edits, "grant_type", "refresh_token", "refresh_token", token)
}

// RFC 9449 §5, §6: the access token says its key, in itself and at introspection.
func TestDPoPBindsAccessTokens(t *testing.T) {
	t.Parallel()
	b := newBound(t)
	for _, c := range []servertest.Client{b.SPA, b.Backend} {
		answer := b.login(c, b.key.DPoP(b.Server)).Expect(http.StatusOK)
		if got := answer.String("token_type"); got != "DPoP" {
			t.Errorf("token_type %q", got)
		}
		if answer.Header.Get("DPoP-Nonce") == "" {
			t.Error("no nonce is offered")
		}
		cnf, _ := servertest.Claims(t, answer.String("access_token"))["cnf"].(map[string]any)
		if cnf["jkt"] != b.key.Thumbprint {
			t.Errorf("cnf %v, want the key %s", cnf, b.key.Thumbprint)
		}
		seen := b.Introspect(b.Inspector, answer.String("access_token")).JSON()
		if cnf, _ := seen["cnf"].(map[string]any); cnf["jkt"] != b.key.Thumbprint || seen["token_type"] != "DPoP" {
			t.Errorf("introspection shows %v", seen)
		}
	}
	plain := b.login(b.SPA).Expect(http.StatusOK)
	if plain.String("token_type") != "Bearer" || servertest.Claims(t, plain.String("access_token"))["cnf"] != nil {
		t.Errorf("without a proof: %s", plain.Body)
	}
	client := b.as(b.Backend, []servertest.Edit{b.key.DPoP(b.Server)}, "grant_type", "client_credentials").Expect(http.StatusOK)
	if client.String("token_type") != "DPoP" {
		t.Errorf("client_credentials: %s", client.Body)
	}
}

// Bad input: each fault of a proof is refused, and nothing is issued.
func TestDPoPProofs(t *testing.T) {
	t.Parallel()
	b := newBound(t)
	now := b.Clock.Now().Unix()
	d, err := b.key.Private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	private := map[string]any{
		"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(b.key.Private.X.FillBytes(make([]byte, 32))),
		"y": base64.RawURLEncoding.EncodeToString(b.key.Private.Y.FillBytes(make([]byte, 32))),
		"d": base64.RawURLEncoding.EncodeToString(d),
	}
	type m = servertest.Members
	for name, bad := range map[string]struct{ header, claims m }{
		"typ JWT":                 {m{"typ": "JWT"}, nil},
		"no typ":                  {m{"typ": nil}, nil},
		"alg none":                {m{"alg": "none"}, nil},
		"alg HS256":               {m{"alg": "HS256"}, nil},
		"alg of another key type": {m{"alg": "RS256"}, nil},
		"no jwk":                  {m{"jwk": nil}, nil},
		"jwk is text":             {m{"jwk": "key"}, nil},
		"a private key inside":    {m{"jwk": private}, nil},
		"a symmetric key":         {m{"jwk": m{"kty": "oct", "k": "c2VjcmV0"}}, nil},
		"another key":             {m{"jwk": b.other.JWK}, nil},
		"a point off the curve":   {m{"jwk": m{"kty": "EC", "crv": "P-256", "x": private["x"], "y": private["x"]}}, nil},
		"crit":                    {m{"crit": []string{"exp"}}, nil},
		"x5c":                     {m{"x5c": []string{}}, nil},
		"htm of another method":   {nil, m{"htm": "GET"}},
		"htm in lower case":       {nil, m{"htm": "post"}},
		"htm is a number":         {nil, m{"htm": 1}},
		"no htm":                  {nil, m{"htm": nil}},
		"htu of another endpoint": {nil, m{"htu": b.URL + "/oauth2/userinfo"}},
		"htu of another host":     {nil, m{"htu": "https://evil.example/oauth2/token"}},
		"htu with a user":         {nil, m{"htu": strings.Replace(b.URL, "://", "://a@", 1) + "/oauth2/token"}},
		"htu with an encoded /":   {nil, m{"htu": b.URL + "/oauth2%2Ftoken"}},
		"htu is a path":           {nil, m{"htu": "/oauth2/token"}},
		"no htu":                  {nil, m{"htu": nil}},
		"iat long ago":            {nil, m{"iat": now - 600}},
		"iat ahead":               {nil, m{"iat": now + 600}},
		"iat is text":             {nil, m{"iat": "now"}},
		"no iat":                  {nil, m{"iat": nil}},
		"expired":                 {nil, m{"exp": now - 60}},
		"exp long ago":            {nil, m{"exp": 0}},
		"exp is text":             {nil, m{"exp": "soon"}},
		"not yet":                 {nil, m{"nbf": now + 61}},
		"nbf is a list":           {nil, m{"nbf": []any{}}},
		"no jti":                  {nil, m{"jti": nil}},
		"an empty jti":            {nil, m{"jti": ""}},
		"a huge jti":              {nil, m{"jti": strings.Repeat("j", 300)}},
		"jti is a list":           {nil, m{"jti": []string{"a"}}},
	} {
		proof := b.key.Proof(b.Server, "POST", "/oauth2/token", bad.header, bad.claims)
		if a := b.login(b.SPA, servertest.Header("DPoP", proof)); a.Status != 400 || a.String("error") != "invalid_dpop_proof" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	good := b.key.Proof(b.Server, "POST", "/oauth2/token", nil, nil)
	for name, raw := range map[string]string{
		"empty": "", "no JWT": "x", "cut off": good[:len(good)-2], "four parts": good + ".x", "huge": strings.Repeat("a", 9000),
		"invalid UTF-8": "\xff\xfe", "a comma and another": good + "," + good,
	} {
		if a := b.login(b.SPA, servertest.Header("DPoP", raw)); a.Status != 400 || a.String("error") != "invalid_dpop_proof" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for name, claims := range map[string]m{
		"exp and nbf": {"exp": now + 60, "nbf": now}, "within the leeway": {"exp": now - 59, "nbf": now + 60}, "far away": {"exp": now + 86400, "nbf": 0},
	} {
		if a := b.login(b.SPA, b.key.DPoP(b.Server, claims)); a.Status != 200 {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	twice := func(r *http.Request) { r.Header["Dpop"] = []string{good, good} }
	b.login(b.SPA, twice).ExpectError(400, "invalid_dpop_proof")
	b.login(b.SPA, servertest.Header("DPoP", good)).Expect(200) // the refusals have not used it up
}

// RFC 9449 §4.3: htu is compared after normalisation, without query and fragment, with the address that clients know.
func TestDPoPTargets(t *testing.T) {
	t.Parallel()
	b := newBound(t, servertest.Configure(func(c *server.Config) { c.Issuer = "https://login.example" }))
	for _, htu := range []string{
		"https://login.example/oauth2/token", "HTTPS://LOGIN.example:443/oauth2/token", "https://login.example/oauth2/token?a=b#c",
		"https://login.example/x/../oauth2/%74oken",
	} {
		b.login(b.SPA, b.key.DPoP(b.Server, servertest.Members{"htu": htu})).Expect(200)
	}
	b.login(b.SPA, b.key.DPoP(b.Server)).ExpectError(400, "invalid_dpop_proof") // where it really listens
	b.login(b.SPA, b.key.DPoP(b.Server, servertest.Members{"htu": "http://login.example/oauth2/token"})).ExpectError(400, "invalid_dpop_proof")
}

// RFC 9449 §11.1: of any number of requests with one proof, on two servers at once, one is answered.
func TestDPoPReplay(t *testing.T) {
	t.Parallel()
	b := newBound(t)
	same := servertest.Configure(func(c *server.Config) { c.Issuer = b.URL })
	servers := []*bound{b, {b.Replica(t, same), b.key, b.other}}
	for range 5 {
		proof := b.key.DPoP(b.Server)
		var good atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				a := servers[i%2].as(b.Backend, []servertest.Edit{proof}, "grant_type", "client_credentials")
				if a.Status == 200 {
					good.Add(1)
					return
				}
				a.ExpectError(400, "invalid_dpop_proof")
			})
		}
		all.Wait()
		if good.Load() != 1 {
			t.Errorf("%d requests with one proof were answered", good.Load())
		}
	}
}

// A bound refresh token with another key, or with none, is refused, and the session lives (RFC 9449 §5); that of a confidential client
// is not bound.
func TestDPoPBindsRefreshTokens(t *testing.T) {
	t.Parallel()
	b := newBound(t)
	first := b.login(b.SPA, b.key.DPoP(b.Server)).Expect(200).String("refresh_token")
	thief := func(token string) {
		t.Helper()
		b.refresh(b.SPA, token, b.other.DPoP(b.Server)).ExpectError(400, "invalid_grant")
		b.refresh(b.SPA, token).ExpectError(400, "invalid_grant")
	}
	thief(first)
	second := b.refresh(b.SPA, first, b.key.DPoP(b.Server)).Expect(200)
	if second.String("token_type") != "DPoP" {
		t.Errorf("the second token: %s", second.Body)
	}
	third := b.refresh(b.SPA, second.String("refresh_token"), b.key.DPoP(b.Server)).Expect(200).String("refresh_token")
	b.Clock.Advance(time.Minute)
	thief(first) // it is retired: with the key this would be reuse
	b.refresh(b.SPA, third, b.key.DPoP(b.Server)).Expect(200)
	b.refresh(b.SPA, first, b.key.DPoP(b.Server)).ExpectError(400, "invalid_grant") // and is
	b.refresh(b.SPA, third, b.key.DPoP(b.Server)).ExpectError(400, "invalid_grant")

	free := b.login(b.Backend, b.key.DPoP(b.Server)).Expect(200).String("refresh_token")
	b.refresh(b.Backend, free, b.other.DPoP(b.Server)).Expect(200)
}

// RFC 9449 §5.2, dpop_bound_access_tokens.
func TestDPoPRequired(t *testing.T) {
	t.Parallel()
	b := newBound(t)
	c := b.AddClient(clients.Registration{ID: "bound", Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"}, Scope: "read", DPoPBoundAccessTokens: true,
	}})
	b.as(c, nil, "grant_type", "client_credentials").ExpectError(400, "invalid_dpop_proof")
	b.as(c, []servertest.Edit{b.key.DPoP(b.Server)}, "grant_type", "client_credentials").Expect(200)
}

// RFC 9449 §8: a nonce is offered; where it is required, a request without it learns it. One that is there is checked.
func TestDPoPNonce(t *testing.T) {
	t.Parallel()
	b := newBound(t, servertest.Configure(func(c *server.Config) { c.RequireDPoPNonce = true }))
	ask := func(nonce any) *servertest.Answer {
		return b.login(b.SPA, b.key.DPoP(b.Server, servertest.Members{"nonce": nonce}))
	}
	nonce := ask(nil).ExpectError(400, "use_dpop_nonce").Header.Get("DPoP-Nonce")
	ask(nonce).Expect(200)
	ask(nonce).Expect(200) // it is not for one request; the jti is
	for _, bad := range []string{"x", nonce + "x", strings.Repeat("A", len(nonce)), "\x00"} {
		ask(bad).ExpectError(400, "use_dpop_nonce")
	}
	replica := &bound{b.Replica(t, servertest.Configure(func(c *server.Config) { c.Issuer, c.RequireDPoPNonce = b.URL, true })), b.key, b.other}
	replica.login(b.SPA, b.key.DPoP(b.Server, servertest.Members{"nonce": nonce})).Expect(200)
	b.Clock.Advance(6 * time.Minute)
	ask(nonce).ExpectError(400, "use_dpop_nonce")

	lenient := newBound(t)
	lenient.login(lenient.SPA, lenient.key.DPoP(lenient.Server, servertest.Members{"nonce": "of another server"})).ExpectError(400, "use_dpop_nonce")
}

// RFC 9449 §10: the code is for the key that the request named, or that its pushed request proved.
func TestDPoPBindsCodes(t *testing.T) {
	t.Parallel()
	b := newBound(t)
	redeem := func(code string, edits ...servertest.Edit) *servertest.Answer {
		return b.as(b.Portal, edits, "grant_type", "authorization_code", "code", code, "redirect_uri", b.Portal.Redirect, "code_verifier", servertest.Verifier)
	}
	code := b.Browser().Code(b.Portal, "dpop_jkt", b.key.Thumbprint)
	redeem(code).ExpectError(400, "invalid_grant")
	redeem(code, b.other.DPoP(b.Server)).ExpectError(400, "invalid_grant")
	redeem(code, b.key.DPoP(b.Server)).Expect(200)

	for _, bad := range []string{"x", b.key.Thumbprint + "x", strings.Repeat("a", 9)} {
		page := b.Browser().Authorize(b.Portal, "dpop_jkt", bad)
		if !strings.Contains(page.Left+page.Body, "invalid_request") {
			t.Errorf("dpop_jkt %q: %q %s", bad, page.Left, page.Body)
		}
	}

	push := func(edit servertest.Edit, pairs ...string) *servertest.Answer {
		return b.PostForm("/oauth2/par", b.Portal.AuthorizeParams(pairs...), edit)
	}
	proof := func(k *servertest.Key) servertest.Edit {
		return servertest.Header("DPoP", k.Proof(b.Server, "POST", "/oauth2/par", nil, nil))
	}
	push(proof(b.key), "dpop_jkt", b.other.Thumbprint).ExpectError(400, "invalid_dpop_proof")
	push(b.key.DPoP(b.Server)).ExpectError(400, "invalid_dpop_proof") // for the token endpoint
	once := proof(b.key)
	pushed := push(once).Expect(201).String("request_uri")
	push(once).ExpectError(400, "invalid_dpop_proof")
	browser := b.Browser()
	query := url.Values{"client_id": {b.Portal.ID}, "request_uri": {pushed}}
	code = browser.Follow("/oauth2/authorize?" + query.Encode()).Through().Response(b.Portal.Redirect).Get("code")
	redeem(code, b.other.DPoP(b.Server)).ExpectError(400, "invalid_grant")
	redeem(code, b.key.DPoP(b.Server)).Expect(200)
}

// RFC 9449 §7: at the userinfo endpoint.
func TestDPoPAtUserInfo(t *testing.T) {
	t.Parallel()
	b := newBound(t)
	redeem := func(edits ...servertest.Edit) string {
		code := b.Browser().Code(b.Portal)
		return b.as(b.Portal, edits, "grant_type", "authorization_code", "code", code, "redirect_uri", b.Portal.Redirect,
			"code_verifier", servertest.Verifier).Expect(200).String("access_token")
	}
	token, bearer := redeem(b.key.DPoP(b.Server)), redeem()
	ath := func(token string) string {
		sum := sha256.Sum256([]byte(token))
		return base64.RawURLEncoding.EncodeToString(sum[:])
	}
	proof := func(k *servertest.Key, ath any) servertest.Edit {
		return servertest.Header("DPoP", k.Proof(b.Server, "GET", "/oauth2/userinfo", nil, servertest.Members{"ath": ath}))
	}
	scheme := func(scheme, token string) servertest.Edit {
		return servertest.Header("Authorization", scheme+" "+token)
	}
	get := func(edits ...servertest.Edit) *servertest.Answer { return b.Get("/oauth2/userinfo", edits...) }

	once := proof(b.key, ath(token))
	get(scheme("DPoP", token), once).Expect(200)
	get(scheme("dpop", token), proof(b.key, ath(token))).Expect(200)
	for name, refused := range map[string]struct {
		answer *servertest.Answer
		code   string
	}{
		"replayed":             {get(scheme("DPoP", token), once), "invalid_dpop_proof"},
		"presented as Bearer":  {get(scheme("Bearer", token)), "invalid_token"},
		"Bearer with a proof":  {get(scheme("Bearer", token), proof(b.key, ath(token))), "invalid_token"},
		"in the form":          {b.PostForm("/oauth2/userinfo", servertest.Form("access_token", token)), "invalid_token"},
		"no proof":             {get(scheme("DPoP", token)), "invalid_dpop_proof"},
		"another key":          {get(scheme("DPoP", token), proof(b.other, ath(token))), "invalid_token"},
		"no ath":               {get(scheme("DPoP", token), proof(b.key, nil)), "invalid_dpop_proof"},
		"ath of another token": {get(scheme("DPoP", token), proof(b.key, ath(bearer))), "invalid_dpop_proof"},
		"a bearer token":       {get(scheme("DPoP", bearer), proof(b.key, ath(bearer))), "invalid_token"},
	} {
		challenge := strings.Join(refused.answer.Header.Values("WWW-Authenticate"), ", ")
		if refused.answer.Status != 401 || !strings.Contains(challenge, `error="`+refused.code+`"`) || !strings.Contains(challenge, "DPoP ") {
			t.Errorf("%s: %d %s %s", name, refused.answer.Status, challenge, refused.answer.Body)
		}
	}
	get(scheme("Bearer", bearer)).Expect(200)
}
