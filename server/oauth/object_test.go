package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/clients"
	"latchkey/server/servertest"
)

// signer is a client that signs its requests.
type signer struct {
	*servertest.Server
	servertest.Client
	key, other *servertest.Key
}

func newSigner(t *testing.T, change ...func(*clients.Metadata)) *signer {
	s := &signer{Server: servertest.New(t), key: servertest.NewKey(t), other: servertest.NewKey(t)}
	m := clients.Metadata{
		ClientName: "Signer", GrantTypes: []string{"authorization_code"}, Scope: "openid read", TokenEndpointAuthMethod: "private_key_jwt",
		RedirectURIs: []string{servertest.Callback}, JWKS: s.key.Set(),
	}
	for _, c := range change {
		c(&m)
	}
	s.Client = s.AddClient(clients.Registration{ID: "signer", Policy: clients.Policy{FirstParty: true}, Metadata: m})
	return s
}

// object writes a request object with the parameters of a usual request.
func (s *signer) object(k *servertest.Key, header, changes servertest.Members) string {
	now := s.Clock.Now().Unix()
	claims := servertest.Members{"iss": s.ID, "aud": s.URL, "iat": now, "nbf": now, "exp": now + 300}
	for name, values := range s.AuthorizeParams() {
		claims[name] = values[0]
	}
	for name, value := range changes {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	return k.Sign(header, claims)
}

// answer sends a request object, with other parameters beside it, and gives the answer to the client.
func (s *signer) answer(t *testing.T, object string, pairs ...string) url.Values {
	t.Helper()
	query := servertest.Form(append([]string{"client_id", s.ID, "request", object}, pairs...)...)
	return s.Browser().Follow("/oauth2/authorize?" + query.Encode()).Through().Response(servertest.Callback)
}

// RFC 9101 §5, §6.3: the parameters are those of the request object; nothing outside counts.
func TestRequestObject(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	type m = servertest.Members
	for name, object := range map[string]string{
		"usual":              s.object(s.key, nil, nil),
		"typed":              s.object(s.key, m{"typ": "oauth-authz-req+jwt"}, nil),
		"a list of audience": s.object(s.key, nil, m{"aud": []string{"https://other.example", s.URL}}),
		"without exp":        s.object(s.key, nil, m{"exp": nil, "nbf": nil}),
		"numbers and objects": s.object(s.key, nil, m{
			"max_age": 3600, "claims": m{"id_token": m{"email": nil}},
		}),
	} {
		got := s.answer(t, object, "redirect_uri", "https://evil.example/cb", "scope", "admin", "state", "outside", "response_type", "token")
		if got.Get("code") == "" || got.Get("state") != servertest.State {
			t.Errorf("%s: %v", name, got)
		}
	}
	const odd = "\u202e\x01ä€𝄞\r\n"
	got := s.answer(t, s.object(s.key, nil, m{"nonce": odd, "state": json.RawMessage(`"\ud834\udd1e"`)}))
	if got.Get("state") != "𝄞" {
		t.Errorf("the state came back as %q", got.Get("state"))
	}
	redeemed := s.PostForm("/oauth2/token", servertest.Form(append(s.key.Assertion(s.Server, s.ID),
		"grant_type", "authorization_code", "code", got.Get("code"), "redirect_uri", servertest.Callback, "code_verifier", servertest.Verifier)...)).Expect(200)
	if nonce := redeemed.IDToken()["nonce"]; nonce != odd {
		t.Errorf("the nonce came back as %q", nonce)
	}
	got = s.answer(t, s.object(s.key, nil, m{"code_challenge": nil, "nonce": nil}), "code_challenge", servertest.Challenge(), "nonce", "n")
	if got.Get("error") != "invalid_request" {
		t.Errorf("the challenge outside counted: %v", got)
	}
}

// Bad input, statement 18: alg none, another client's key, wrong aud, expired, nested, and so on.
func TestRequestObjectFaults(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	now := s.Clock.Now().Unix()
	type m = servertest.Members
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	good := s.object(s.key, nil, nil)
	body := strings.Split(good, ".")[1]
	for name, object := range map[string]string{
		"alg none":              part(`{"alg":"none"}`) + "." + body + ".",
		"alg none, signed":      s.object(s.key, m{"alg": "none"}, nil),
		"alg HS256":             s.object(s.key, m{"alg": "HS256"}, nil),
		"another client's key":  s.object(s.other, nil, nil),
		"another client's name": s.object(s.key, nil, m{"iss": s.Web.ID}),
		"client_id inside":      s.object(s.key, nil, m{"client_id": s.Web.ID}),
		"no iss":                s.object(s.key, nil, m{"iss": nil}),
		"wrong aud":             s.object(s.key, nil, m{"aud": "https://other.example"}),
		"no aud":                s.object(s.key, nil, m{"aud": nil}),
		"aud is an object":      s.object(s.key, nil, m{"aud": m{"a": s.URL}}),
		"expired":               s.object(s.key, nil, m{"exp": now - 1}),
		"exp is text":           s.object(s.key, nil, m{"exp": "soon"}),
		"not yet":               s.object(s.key, nil, m{"nbf": now + 600, "exp": now + 700}),
		"too long":              s.object(s.key, nil, m{"exp": now + 86400}),
		"nested request":        s.object(s.key, nil, m{"request": good}),
		"nested request_uri":    s.object(s.key, nil, m{"request_uri": "https://a.example/o"}),
		"a JWT inside":          s.object(s.key, m{"cty": "JWT"}, nil),
		"a client assertion":    s.object(s.key, nil, m{"sub": s.ID}),
		"an access token":       s.object(s.key, m{"typ": "at+jwt"}, nil),
		"its own key":           s.object(s.other, m{"jwk": s.other.JWK}, nil),
		"jku":                   s.object(s.key, m{"jku": "https://a.example/jwks"}, nil),
		"crit":                  s.object(s.key, m{"crit": []string{"exp"}}, nil),
		"encrypted":             "a.b.c.d.e",
		"no JWT":                "x",
		"a tampered payload":    strings.Replace(good, body, part(`{"iss":"signer"}`), 1),
		"a list of states":      s.object(s.key, nil, m{"state": []string{"a", "b"}}),
		"null":                  s.object(s.key, nil, m{"state": []any{nil}}),
		"a boolean":             s.object(s.key, nil, m{"state": true}),
		"a NUL":                 s.object(s.key, nil, m{"nonce": "a\x00b"}),
		"a NUL in a name":       s.object(s.key, nil, m{"a\x00b": "x"}),
		"a NUL in a list":       s.object(s.key, nil, m{"resource": []string{"a\x00b"}}),
		"a NUL in an object":    s.object(s.key, nil, m{"claims": m{"id_token": m{"acr": m{"value": "a\x00b"}}}}),
		"half a surrogate pair": s.object(s.key, nil, m{"nonce": json.RawMessage(`"\ud800"`)}),
		"the other half":        s.object(s.key, nil, m{"state": json.RawMessage(`"a\udc00b"`)}),
		"not UTF-8":             s.object(s.key, nil, m{"nonce": json.RawMessage("\"\xff\"")}),
	} {
		got := s.answer(t, object, "redirect_uri", servertest.Callback, "state", "outside")
		if got.Get("error") != "invalid_request_object" || got.Get("state") != "outside" {
			t.Errorf("%s: %v", name, got)
		}
		// Without a redirect URI outside there is nobody to answer but the user.
		s.PostForm("/oauth2/par", servertest.Form(append(s.key.Assertion(s.Server, s.ID), "request", object)...)).
			ExpectError(http.StatusBadRequest, "invalid_request_object")
	}
	got := s.answer(t, good, "redirect_uri", servertest.Callback, "request_uri", "https://a.example/o")
	if got.Get("error") != "invalid_request" {
		t.Errorf("both forms at once: %v", got)
	}
	page := s.Browser().Follow("/oauth2/authorize?" + url.Values{
		"client_id": {s.ID}, "request": {s.object(s.other, nil, nil)}, "redirect_uri": {"https://evil.example/cb"},
	}.Encode())
	if page.Left != "" || page.Status != http.StatusBadRequest {
		t.Errorf("a bad object with a foreign redirect URI: %d, %q", page.Status, page.Left)
	}
}

// RFC 9126 §3: a request object that is pushed. require_signed_request_object and request_object_signing_alg (RFC 9101 §10.5).
func TestRequestObjectRequired(t *testing.T) {
	t.Parallel()
	s := newSigner(t, func(m *clients.Metadata) { m.RequireSignedRequestObject = true })
	assertion := func(pairs ...string) url.Values {
		return servertest.Form(append(s.key.Assertion(s.Server, s.ID), pairs...)...)
	}
	pushed := s.PostForm("/oauth2/par", assertion("request", s.object(s.key, nil, nil), "scope", "admin")).Expect(201).String("request_uri")
	query := url.Values{"client_id": {s.ID}, "request_uri": {pushed}}
	if got := s.Browser().Follow("/oauth2/authorize?" + query.Encode()).Through().Response(servertest.Callback); got.Get("code") == "" {
		t.Errorf("pushed: %v", got)
	}
	plain := s.AuthorizeParams()
	for name, values := range assertion() {
		plain[name] = values
	}
	s.PostForm("/oauth2/par", plain).ExpectError(400, "invalid_request")
	if got := s.Browser().Authorize(s.Client).Through().Response(servertest.Callback); got.Get("error") != "invalid_request" {
		t.Errorf("without an object: %v", got)
	}

	strict := newSigner(t, func(m *clients.Metadata) { m.RequestObjectSigningAlg = "PS256" })
	if got := strict.answer(t, strict.object(strict.key, nil, nil), "redirect_uri", servertest.Callback); got.Get("error") != "invalid_request_object" {
		t.Errorf("another alg than the registered one: %v", got)
	}
}
