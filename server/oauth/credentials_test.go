package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/clientauth"
	"latchkey/server/internal/safehttp"
	"latchkey/server/servertest"
)

// party is a client with keys of its own, at its jwks_uri.
type party struct {
	*servertest.Server
	t       *testing.T
	issuer  string
	key     *ecdsa.PrivateKey
	kid     string
	fetches atomic.Int64
	signed  int
}

func newParty(t *testing.T, change ...func(*server.Config)) *party {
	t.Helper()
	p := &party{t: t, kid: "1"}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	host := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: p.kid}}})
	}))
	t.Cleanup(host.Close)
	p.Server = servertest.New(t, servertest.Configure(func(c *server.Config) {
		c.OutboundAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Outbound = func(o *safehttp.Config) {
			o.Roots = host.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			o.Timeout = 30 * time.Second // on a busy machine a handshake alone may take seconds
		}
		p.issuer = c.Issuer
		for _, f := range change {
			f(c)
		}
	}))
	p.AddClient(clients.Registration{ID: "signer", Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "private_key_jwt", JWKSURI: host.URL,
	}})
	return p
}

func (p *party) assertion(alg jose.SignatureAlgorithm, key any) string {
	p.t.Helper()
	return p.assert(alg, key, map[string]any{})
}

// assert returns an assertion with other claims.
func (p *party) assert(alg jose.SignatureAlgorithm, key any, other map[string]any) string {
	p.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: p.kid}}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.signed++
	now := p.Clock.Now()
	members := map[string]any{
		"iss": "signer", "sub": "signer", "aud": p.issuer, "exp": now.Add(time.Minute).Unix(), "jti": fmt.Sprint(p.signed),
	}
	maps.Copy(members, other)
	claims, err := json.Marshal(members)
	if err != nil {
		p.t.Fatal(err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return compact
}

func (p *party) post(path string, pairs ...string) *servertest.Answer {
	p.t.Helper()
	return p.PostForm(path, servertest.Form(append([]string{"client_assertion_type", clientauth.AssertionType}, pairs...)...))
}

// RFC 7523 §2.2, RFC 7521 §4.2.
func TestAssertionAtEachEndpoint(t *testing.T) {
	t.Parallel()
	p := newParty(t)
	fresh := func() string { return p.assertion(jose.ES256, p.key) }
	access := p.post("/oauth2/token", "grant_type", "client_credentials", "client_assertion", fresh()).Expect(200).String("access_token")
	p.post("/oauth2/token", "grant_type", "client_credentials", "client_id", "signer", "client_assertion", fresh()).Expect(200)
	if active := p.post("/oauth2/introspect", "token", access, "client_assertion", fresh()).Expect(200).JSON()["active"]; active != true {
		t.Errorf("active is %v", active)
	}
	p.post("/oauth2/revoke", "token", access, "client_assertion", fresh()).Expect(200)
	if active := p.post("/oauth2/introspect", "token", access, "client_assertion", fresh()).Expect(200).JSON()["active"]; active != false {
		t.Errorf("after its revocation active is %v", active)
	}
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("%d fetches of the keys", n)
	}
	once := fresh()
	p.post("/oauth2/token", "grant_type", "client_credentials", "client_assertion", once).Expect(200)
	p.post("/oauth2/token", "grant_type", "client_credentials", "client_assertion", once).ExpectError(401, "invalid_client")
}

func TestStatement27RotatedKeysAreFoundWithinAMinute(t *testing.T) {
	t.Parallel()
	p := newParty(t)
	ask := func() *servertest.Answer {
		return p.post("/oauth2/token", "grant_type", "client_credentials", "client_assertion", p.assertion(jose.ES256, p.key))
	}
	ask().Expect(200)
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	p.kid = "2"
	for range 5 {
		ask().ExpectError(401, "invalid_client")
	}
	p.Clock.Advance(time.Minute)
	ask().Expect(200)
	if n := p.fetches.Load(); n != 2 {
		t.Errorf("%d fetches of the keys", n)
	}
}

func TestRefusedAssertions(t *testing.T) {
	t.Parallel()
	p := newParty(t)
	good := func() string { return p.assertion(jose.ES256, p.key) }
	grant := []string{"grant_type", "client_credentials"}
	for _, c := range []struct {
		name   string
		pairs  []string
		edit   servertest.Edit
		status int
		code   string
	}{
		{"no type", []string{"client_assertion", good()}, nil, 400, "invalid_request"},
		{"another type", []string{"client_assertion", good(), "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, nil, 400, "invalid_request"},
		{"no assertion", []string{"client_assertion_type", clientauth.AssertionType}, nil, 400, "invalid_request"},
		{"a secret too", []string{"client_assertion", good(), "client_assertion_type", clientauth.AssertionType, "client_secret", "x"}, nil, 400, "invalid_request"},
		{"Basic too", []string{"client_assertion", good(), "client_assertion_type", clientauth.AssertionType}, p.Backend.Basic(), 400, "invalid_request"},
		{"another client_id", []string{"client_assertion", good(), "client_assertion_type", clientauth.AssertionType, "client_id", p.Backend.ID}, nil, 401, "invalid_client"},
		{"a public client's id", []string{"client_assertion", good(), "client_assertion_type", clientauth.AssertionType, "client_id", p.SPA.ID}, nil, 401, "invalid_client"},
		{"no JWT", []string{"client_assertion", "x", "client_assertion_type", clientauth.AssertionType}, nil, 401, "invalid_client"},
		{"only its name", []string{"client_id", "signer"}, nil, 401, "invalid_client"},
		{"a secret instead", []string{"client_id", "signer", "client_secret", "x"}, nil, 401, "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var edits []servertest.Edit
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			p.PostForm("/oauth2/token", servertest.Form(append(c.pairs, grant...)...), edits...).ExpectError(c.status, c.code)
		})
	}
	mac := p.post("/oauth2/token", "grant_type", "client_credentials", "client_assertion", p.assertion(jose.HS256, make([]byte, 32)))
	mac.ExpectError(401, "invalid_client")
	if !strings.Contains(mac.String("error_description"), "private_key_jwt") {
		t.Errorf("client_secret_jwt is refused without saying what to use: %s", mac.Body)
	}
}
