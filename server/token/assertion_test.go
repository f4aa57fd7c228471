package token_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/clients"
	"latchkey/server/clientauth"
	"latchkey/server/internal/jwks"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/token"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// signers are the keys of the client "signer", by algorithm.
type signers struct {
	*world
	es, foreign *ecdsa.PrivateKey
	ed          ed25519.PrivateKey
	rs          *rsa.PrivateKey
}

// newSigners adds the client "signer", which authenticates with private_key_jwt, and "other" of the same keys.
func newSigners(t *testing.T, store storage.Store, change func(*clients.Metadata)) *signers {
	t.Helper()
	s := &signers{world: newWorld(t, store)}
	s.serve(jwks.New(jwks.Config{Now: s.clock.Now}))
	var err error
	if s.es, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if s.foreign, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, s.ed, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if s.rs, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &s.es.PublicKey, KeyID: "es", Algorithm: "ES256", Use: "sig"},
		{Key: s.ed.Public(), KeyID: "ed"},
		{Key: &s.rs.PublicKey, KeyID: "rs"},
		{Key: &s.es.PublicKey, KeyID: "enc", Use: "enc"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"signer", "other"} {
		m := clients.Metadata{GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "private_key_jwt", JWKS: set}
		if change != nil {
			change(&m)
		}
		if _, _, err := s.clients.Add(t.Context(), clients.Registration{ID: id, Metadata: m}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *signers) sign(alg, input string) []byte {
	sum := sha256.Sum256([]byte(input))
	var sig []byte
	var err error
	switch alg {
	case "ES256", "foreign":
		key := s.es
		if alg == "foreign" {
			key = s.foreign
		}
		r, v, e := ecdsa.Sign(rand.Reader, key, sum[:])
		if err = e; err == nil {
			sig = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
		}
	case "EdDSA", "Ed25519":
		sig = ed25519.Sign(s.ed, []byte(input))
	case "RS256":
		sig, err = rsa.SignPKCS1v15(nil, s.rs, crypto.SHA256, sum[:])
	case "PS256":
		sig, err = rsa.SignPSS(rand.Reader, s.rs, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case "HS256": // with the public key as the secret
		mac := hmac.New(sha256.New, x509.MarshalPKCS1PublicKey(&s.rs.PublicKey))
		mac.Write([]byte(input))
		sig = mac.Sum(nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return sig
}

// compact signs a header and a payload as they are.
func (s *signers) compact(alg, header, payload string) storage.Secret {
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	return storage.Secret(input + "." + b64.EncodeToString(s.sign(alg, input)))
}

var jtis atomic.Int64

// claims are those of a good assertion of a client, changed: a nil value removes a claim.
func (s *signers) claims(client string, changes map[string]any) string {
	now := s.clock.Now()
	all := map[string]any{
		"iss": client, "sub": client, "aud": s.cfg.Issuer, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "jti": fmt.Sprint("jti", jtis.Add(1)),
	}
	for name, value := range changes {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *signers) ask(client string, assertion storage.Secret) error {
	_, err := s.svc.Exchange(s.t.Context(), &token.Request{
		GrantType: clients.GrantClientCredentials,
		Client:    clientauth.Credentials{Method: clients.AuthPrivateKeyJWT, ID: client, Assertion: assertion},
	})
	return err
}

func (s *signers) accepted(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Errorf("%s: %v", what, err)
	}
}

func (s *signers) refusedFor(what string, err error, reason reasons.Reason) {
	s.t.Helper()
	e := protocol.AsError(err)
	if err == nil || e.Code != "invalid_client" || e.Status != 401 || e.Reason != reason {
		s.t.Errorf("%s: %v, want invalid_client for %s", what, err, reason)
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	s := newSigners(t, sqlitetest.SQLite(t), nil)
	for alg, kid := range map[string]string{"ES256": "es", "EdDSA": "ed", "Ed25519": "ed", "RS256": "rs", "PS256": "rs"} {
		for _, header := range []string{
			fmt.Sprintf(`{"alg":%q}`, alg), fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, kid),
			fmt.Sprintf(`{"typ":"client-authentication+jwt","kid":%q,"alg":%q,"x5t":"hint"}`, kid, alg),
		} {
			s.accepted(header, s.ask("signer", s.compact(alg, header, s.claims("signer", nil))))
		}
	}
	const es = `{"alg":"ES256"}`
	for name, changes := range map[string]map[string]any{
		"a fraction": {"exp": float64(s.clock.Now().UnixMilli())/1000 + 60.5}, "without iat": {"iat": nil}, "the longest": {"exp": s.clock.Now().Unix() + 299},
		"a client whose clock is ahead": {"iat": s.clock.Now().Unix() + 20, "nbf": s.clock.Now().Unix() + 20}, "other claims": {"nonce": []int{1}},
		"a long jti": {"jti": strings.Repeat("j", 255)}, "aud is a list": {"aud": []string{s.cfg.Issuer}},
		"aud is two": {"aud": []string{s.cfg.Issuer, "https://other.example"}}, "six minutes": {"exp": s.clock.Now().Unix() + 360},
	} {
		s.accepted(name, s.ask("signer", s.compact("ES256", es, s.claims("signer", changes))))
	}
}

func TestStatement27Claims(t *testing.T) {
	t.Parallel()
	s := newSigners(t, sqlitetest.SQLite(t), nil)
	now := s.clock.Now().Unix()
	for name, changes := range map[string]map[string]any{
		"aud is another server": {"aud": "https://other.example"}, "aud is a list of others": {"aud": []string{"https://other.example"}},
		"aud is an empty list": {"aud": []string{}}, "aud with a slash": {"aud": s.cfg.Issuer + "/"}, "no aud": {"aud": nil}, "aud null": {"aud": json.RawMessage("null")},
		"no exp": {"exp": nil}, "expired": {"exp": now}, "long expired": {"exp": now - 3600}, "more than an hour": {"exp": now + 3700}, "a year": {"exp": now + 365*86400},
		"exp is text": {"exp": fmt.Sprint(now + 60)}, "exp is huge": {"exp": json.RawMessage("1e300")}, "exp is NaN": {"exp": "NaN"}, "exp null": {"exp": json.RawMessage("null")},
		"not yet": {"nbf": now + 60}, "issued in the future": {"iat": now + 60}, "issued after its end": {"iat": now + 20, "exp": now + 10},
		"no jti": {"jti": nil}, "an empty jti": {"jti": ""}, "a jti too long": {"jti": strings.Repeat("j", 256)}, "a jti that is a number": {"jti": 1},
		"another iss": {"iss": "other"}, "another sub": {"sub": "other"}, "another client": {"iss": "other", "sub": "other"}, "no iss": {"iss": nil}, "no sub": {"sub": nil},
	} {
		s.refusedFor(name, s.ask("signer", s.compact("ES256", `{"alg":"ES256"}`, s.claims("signer", changes))), reasons.Assertion)
	}
}

func TestAClientWithAWrongClockIsToldTheTime(t *testing.T) {
	t.Parallel()
	s := newSigners(t, sqlitetest.SQLite(t), nil)
	now := s.clock.Now().Unix()
	for name, changes := range map[string]map[string]any{
		"slow": {"iat": now - 3600, "exp": now - 3540}, "fast": {"iat": now + 3600, "exp": now + 3660}, "a little fast": {"iat": now + 60},
	} {
		err := s.ask("signer", s.compact("ES256", `{"alg":"ES256"}`, s.claims("signer", changes)))
		if e := protocol.AsError(err); !strings.Contains(e.Description, fmt.Sprintf("the server's clock says %d, ", now)) {
			t.Errorf("%s: %q", name, e.Description)
		}
	}
}

func TestStatement28Headers(t *testing.T) {
	t.Parallel()
	s := newSigners(t, sqlitetest.SQLite(t), nil)
	foreign, err := json.Marshal(jose.JSONWebKey{Key: &s.foreign.PublicKey})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, alg, header string
		reason            reasons.Reason
	}{
		{"none", "", `{"alg":"none"}`, reasons.Assertion},
		{"NONE", "", `{"alg":"NoNe"}`, reasons.Assertion},
		{"no alg", "ES256", `{}`, reasons.Assertion},
		{"RS512", "RS256", `{"alg":"RS512"}`, reasons.Assertion},
		{"lower case", "ES256", `{"alg":"es256"}`, reasons.Assertion},
		{"Alg", "ES256", `{"Alg":"ES256"}`, reasons.Assertion},
		{"public key as a secret", "HS256", `{"alg":"HS256","kid":"rs"}`, reasons.AssertionMAC},
		{"public key as a secret under another name", "HS256", `{"alg":"RS256","kid":"rs"}`, reasons.AssertionKey},
		{"alg twice", "ES256", `{"alg":"ES256","alg":"ES256"}`, reasons.Assertion},
		{"alg twice, none last", "ES256", `{"alg":"ES256","alg":"none"}`, reasons.Assertion},
		{"alg twice by an escape", "ES256", `{"alg":"ES256","\u0061lg":"none"}`, reasons.Assertion},
		{"embedded key", "foreign", `{"alg":"ES256","jwk":` + string(foreign) + `}`, reasons.Assertion},
		{"jku", "foreign", `{"alg":"ES256","jku":"https://evil.example/jwks"}`, reasons.Assertion},
		{"x5u", "foreign", `{"alg":"ES256","x5u":"https://evil.example/x"}`, reasons.Assertion},
		{"x5c", "foreign", `{"alg":"ES256","x5c":[]}`, reasons.Assertion},
		{"crit", "ES256", `{"alg":"ES256","crit":["exp"],"exp":1}`, reasons.Assertion},
		{"b64", "ES256", `{"alg":"ES256","b64":false}`, reasons.Assertion},
		{"an access token's type", "ES256", `{"alg":"ES256","typ":"at+jwt"}`, reasons.Assertion},
		{"typ is a list", "ES256", `{"alg":"ES256","typ":["JWT"]}`, reasons.Assertion},
		{"more behind it", "ES256", `{"alg":"ES256"} {}`, reasons.Assertion},
		{"a list", "ES256", `["ES256"]`, reasons.Assertion},
		{"another's key", "foreign", `{"alg":"ES256"}`, reasons.AssertionKey},
		{"another's key under a good name", "foreign", `{"alg":"ES256","kid":"es"}`, reasons.AssertionKey},
		{"another key of the client", "EdDSA", `{"alg":"EdDSA","kid":"es"}`, reasons.AssertionKey},
		{"an unknown kid", "ES256", `{"alg":"ES256","kid":"new"}`, reasons.AssertionKey},
		{"a key for encryption", "ES256", `{"alg":"ES256","kid":"enc"}`, reasons.AssertionKey},
	} {
		s.refusedFor(c.name, s.ask("signer", s.compact(c.alg, c.header, s.claims("signer", nil))), c.reason)
	}
	good := s.claims("signer", nil)
	for _, payload := range []string{
		strings.Replace(good, `"aud"`, `"aud":"https://other.example","aud"`, 1), good + good, "[]", "", "{", good[:len(good)-1],
	} {
		s.refusedFor(payload, s.ask("signer", s.compact("ES256", `{"alg":"ES256"}`, payload)), reasons.Assertion)
	}
	jwt := s.compact("ES256", `{"alg":"ES256"}`, good).Reveal()
	for _, raw := range []string{"", "a.b", ".", "..", jwt + ".", jwt + "=", " " + jwt, strings.Repeat("a", 9000), jwt[:strings.LastIndexByte(jwt, '.')] + "."} {
		err := s.ask("signer", storage.Secret(raw))
		if e := protocol.AsError(err); err == nil || e.Code != "invalid_client" {
			t.Errorf("%q: %v", raw, err)
		}
	}
	s.accepted("the claims themselves", s.ask("signer", storage.Secret(jwt)))
}

func TestStatement27OneUse(t *testing.T) {
	forEachStore(t, func(t *testing.T, store storage.Store) {
		s := newSigners(t, store, nil)
		for range 5 {
			assertion := s.compact("ES256", `{"alg":"ES256"}`, s.claims("signer", nil))
			var good atomic.Int64
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					switch err := s.ask("signer", assertion); {
					case err == nil:
						good.Add(1)
					case protocol.AsError(err).Reason != reasons.AssertionReplay:
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if good.Load() != 1 {
				t.Errorf("it was accepted %d times", good.Load())
			}
		}
		// Another client may use the same jti; and a signature that is wrong uses up none.
		same := map[string]any{"jti": "same"}
		s.refusedFor("a forged one", s.ask("signer", s.compact("foreign", `{"alg":"ES256"}`, s.claims("signer", same))), reasons.AssertionKey)
		s.accepted("the first", s.ask("signer", s.compact("ES256", `{"alg":"ES256"}`, s.claims("signer", same))))
		s.accepted("the other client", s.ask("other", s.compact("ES256", `{"alg":"ES256"}`, s.claims("other", same))))
		s.refusedFor("the second", s.ask("signer", s.compact("EdDSA", `{"alg":"EdDSA"}`, s.claims("signer", same))), reasons.AssertionReplay)
	})
}

// A client has one method, and may bind it to one algorithm.
func TestMethodOfTheClient(t *testing.T) {
	t.Parallel()
	s := newSigners(t, sqlitetest.SQLite(t), func(m *clients.Metadata) { m.TokenEndpointAuthSigningAlg = "EdDSA" })
	s.accepted("its algorithm", s.ask("signer", s.compact("EdDSA", `{"alg":"EdDSA"}`, s.claims("signer", nil))))
	s.accepted("its algorithm by its other name", s.ask("signer", s.compact("Ed25519", `{"alg":"Ed25519"}`, s.claims("signer", map[string]any{"jti": "other"}))))
	s.refusedFor("another algorithm", s.ask("signer", s.compact("ES256", `{"alg":"ES256"}`, s.claims("signer", nil))), reasons.Assertion)
	s.refusedFor("a client with a secret", s.ask("strict", s.compact("ES256", `{"alg":"ES256"}`, s.claims("strict", nil))), reasons.Client)
	s.refusedFor("an unknown client", s.ask("nobody", s.compact("ES256", `{"alg":"ES256"}`, s.claims("nobody", nil))), reasons.Client)
	for _, method := range []string{clients.AuthBasic, clients.AuthPost, clients.AuthNone} {
		_, err := s.svc.Exchange(t.Context(), &token.Request{
			GrantType: clients.GrantClientCredentials, Client: clientauth.Credentials{Method: method, ID: "signer", Secret: "x"},
		})
		s.refusedFor(method, err, reasons.Client)
	}
	if err := s.clients.SetDisabled(t.Context(), "signer", true); err != nil {
		t.Fatal(err)
	}
	s.clientsChanged()
	s.refusedFor("disabled", s.ask("signer", s.compact("EdDSA", `{"alg":"EdDSA"}`, s.claims("signer", nil))), reasons.Client)
}

// A client that had a secret before it got keys can't use it any more.
func TestSecretOfAClientThatNowHasKeys(t *testing.T) {
	t.Parallel()
	s := newSigners(t, sqlitetest.SQLite(t), nil)
	_, err := s.clients.Update(t.Context(), "server", func(r *clients.Registration) error {
		r.Metadata.TokenEndpointAuthMethod, r.Metadata.JWKS = "private_key_jwt", json.RawMessage(`{"keys":[]}`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.clientsChanged()
	_, err = s.svc.Exchange(t.Context(), &token.Request{GrantType: clients.GrantClientCredentials, Client: s.credentials("server")})
	s.refusedFor("the secret", err, reasons.Client)
}

// noKeys finds no keys, and says why.
type noKeys struct{}

var errAway = errors.New("jwks_uri: connection refused")

func (noKeys) Keys(context.Context, *clients.Client, string) ([]jose.JSONWebKey, error) {
	return nil, errAway
}

// awayJTIs is a store whose database is away when a jti is used.
type awayJTIs struct{ storage.Store }

func (awayJTIs) UseJTI(context.Context, string, storage.Digest, time.Time) error {
	return fmt.Errorf("use jti: %w", storage.ErrUnavailable)
}

func TestAssertionsWhileSomethingIsAway(t *testing.T) {
	t.Parallel()
	s := newSigners(t, sqlitetest.SQLite(t), nil)
	good := s.svc
	assertion := s.compact("ES256", `{"alg":"ES256"}`, s.claims("signer", nil))
	s.serve(noKeys{})
	err := s.ask("signer", assertion)
	s.refusedFor("no keys", err, reasons.AssertionKey)
	if e := protocol.AsError(err); !errors.Is(err, errAway) || !strings.HasPrefix(e.Description, "Client authentication failed") {
		t.Errorf("%v, %q", err, e.Description)
	}
	s.serve(nil)
	s.refusedFor("nowhere to look", s.ask("signer", assertion), reasons.Client)
	s.store = awayJTIs{s.store}
	s.serve(jwks.New(jwks.Config{Now: s.clock.Now}))
	if e := protocol.AsError(s.ask("signer", assertion)); e.Status != 503 {
		t.Errorf("database away: %v", e)
	}
	s.svc = good
	s.accepted("afterwards", s.ask("signer", assertion))
}

// assertedClient returns the client that a request names by its assertion alone.
func assertedClient(raw storage.Secret) (string, error) {
	form := url.Values{"client_assertion": {raw.Reveal()}, "client_assertion_type": {clientauth.AssertionType}}
	cred, err := clientauth.FromRequest(http.Header{}, form)
	return cred.ID, err
}

func TestAssertionClient(t *testing.T) {
	t.Parallel()
	s := newSigners(t, sqlitetest.SQLite(t), nil)
	if id, err := assertedClient(s.compact("ES256", `{"alg":"ES256"}`, s.claims("signer", nil))); err != nil || id != "signer" {
		t.Errorf("%q, %v", id, err)
	}
	for name, raw := range map[string]storage.Secret{
		"two names": s.compact("ES256", `{"alg":"ES256"}`, s.claims("signer", map[string]any{"iss": "x"})),
		"no name":   s.compact("ES256", `{"alg":"ES256"}`, s.claims("", nil)),
	} {
		_, err := assertedClient(raw)
		s.refusedFor(name, err, reasons.Assertion)
	}
}

func FuzzAssertion(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIn0.AAAA")
	f.Fuzz(func(t *testing.T, raw string) {
		var e *protocol.Error
		if id, err := assertedClient(storage.Secret(raw)); (err == nil) == (id == "") || err != nil && !errors.As(err, &e) {
			t.Errorf("%q, %v", id, err)
		}
	})
}
