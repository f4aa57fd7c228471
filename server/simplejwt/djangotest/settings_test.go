package djangotest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// refreshWith asks for tokens with a refresh token.
func refreshWith(t *testing.T, address, refresh string) (status int, newRefresh, access string) {
	t.Helper()
	answer, err := send(address, post(refreshPath, fmt.Sprintf(`{"refresh":%q}`, refresh)))
	if err != nil {
		t.Fatal(err)
	}
	found := tokensIn(answer.body)
	return answer.status, found["refresh"], found["access"]
}

func loginAt(t *testing.T, address string, u account) (refresh, access string) {
	t.Helper()
	answer, err := send(address, post(obtainPath, fmt.Sprintf(`{"username":%q,"password":%q}`, u.Username, u.Password)))
	if err != nil || answer.status != 200 {
		t.Fatalf("login at %s: %v, %+v", address, err, answer)
	}
	found := tokensIn(answer.body)
	return found["refresh"], found["access"]
}

func verifyAt(t *testing.T, address, text string) int {
	t.Helper()
	answer, err := send(address, post(verifyPath, fmt.Sprintf(`{"token":%q}`, text)))
	if err != nil {
		t.Fatal(err)
	}
	return answer.status
}

// TestAudienceListsAreThoseOfDjango: with AUDIENCE as a list both servers write the whole list, and both accept a token that has one of them.
func TestAudienceListsAreThoseOfDjango(t *testing.T) {
	t.Parallel()
	need52(t)
	s := newSite(t, []account{alice})
	for setting, flag := range map[string]string{`["api", "réports"]`: "api,réports", `["api"]`: "api", `"api"`: "api"} {
		django := s.copyOf(t).serve(t, "rotate", "SIMPLE_JWT = {'AUDIENCE': "+setting+"}\n")
		latchkey := newDeployment(t).withUsers(t, []account{alice}, s.hashes).serve("--simplejwt-signing-key="+secretKey,
			"--simplejwt-rotation=reissue", "--simplejwt-audience="+flag)
		audience := func(text string) string {
			parsed, _ := parseToken(text)
			value, _ := parsed.claim("aud")
			return value
		}
		began, _ := loginAt(t, django, alice)
		ours, access := loginAt(t, latchkey, alice)
		if want := audience(began); want != audience(ours) && want != "["+audience(ours)+"]" || audience(access) != audience(ours) {
			t.Errorf("%s: Django writes %s, Latchkey %s and %s", setting, want, audience(ours), audience(access))
		}
		for from, refresh := range map[string]string{"Django": began, "Latchkey": ours} {
			for to, address := range map[string]string{"Latchkey": latchkey, "Django": django} {
				if status, _, _ := refreshWith(t, address, refresh); status != 200 {
					t.Errorf("%s: a token of %s is refused by %s: %d", setting, from, to, status)
				}
			}
		}
		for _, value := range []string{
			`"api"`, `"réports"`, `"other"`, `""`, `null`, `[]`, `["api"]`, `["other","réports"]`, `["other"]`, `["api",1]`, `{"api":1}`, `0`, `1`, `true`,
			`["api","réports"]`, `"api,réports"`, `[["api"]]`, `"API"`,
		} {
			text := signed(usualHeader, fmt.Sprintf(`{"token_type":"access","exp":%d,"jti":"0123456789abcdef0123456789abcdef","user_id":1,"aud":%s}`,
				time.Now().Add(time.Hour).Unix(), value), "HS256", secretKey)
			if want, got := verifyAt(t, django, text), verifyAt(t, latchkey, text); got != want && want != 500 {
				t.Errorf("AUDIENCE = %s, aud %s: Django %d, Latchkey %d", setting, value, want, got)
			}
		}
	}
}

func pemOf(t *testing.T, key crypto.Signer) (private, public string) {
	t.Helper()
	p8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p8})), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub}))
}

// TestDjangosKeyPairIsTakenOver: a site that signs with RS256 or an ES algorithm goes to Latchkey and back with its sessions; its APIs, which
// have the public key, and others, which read the key set, notice nothing.
func TestDjangosKeyPairIsTakenOver(t *testing.T) {
	t.Parallel()
	need52(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]crypto.Signer{"RS256": rsaKey, "RS512": rsaKey}
	for algorithm, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		if made[algorithm], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t, []account{alice})
	for algorithm, key := range made {
		t.Run(algorithm, func(t *testing.T) {
			private, public := pemOf(t, key)
			file := filepath.Join(t.TempDir(), "signing-key.pem")
			if err := os.WriteFile(file, []byte(private), 0o600); err != nil {
				t.Fatal(err)
			}
			site := s.copyOf(t)
			django := site.serve(t, "rotate", fmt.Sprintf("SIMPLE_JWT = {'ALGORITHM': %q, 'SIGNING_KEY': '''%s''', 'VERIFYING_KEY': '''%s'''}\n", algorithm, private, public))
			b := newDeploymentWith(t, s, "--simplejwt-algorithm="+algorithm, "--simplejwt-signing-key-file="+file)
			api := func(key string) {
				b.api = site.serve(t, "api", "REST_FRAMEWORK = {'DEFAULT_AUTHENTICATION_CLASSES': ['rest_framework_simplejwt.authentication.JWTAuthentication']}\n"+
					fmt.Sprintf("SIMPLE_JWT = {'ALGORITHM': %q, %s}\n", algorithm, key))
			}
			began, oldAccess := loginAt(t, django, alice)
			if status := verifyAt(t, b.latchkey, oldAccess); status != 200 {
				t.Errorf("an access token of Django's: %d", status)
			}
			status, there, access := refreshWith(t, b.latchkey, began)
			if status != 200 {
				t.Fatalf("a session of Django's: %d", status)
			}
			api(fmt.Sprintf("'VERIFYING_KEY': '''%s'''", public))
			b.accepts(t, "an API with the public key", access, aliceBody)
			b.accepts(t, "an API with the public key, Django's token", oldAccess, aliceBody)
			api(fmt.Sprintf("'JWK_URL': 'http://%s/oauth2/jwks'", b.latchkey))
			b.accepts(t, "an API that reads the key set", access, aliceBody)
			back := there
			if status, back, _ = refreshWith(t, django, there); status != 200 {
				t.Fatalf("on the way back: %d", status)
			}
			if status, _, _ = refreshWith(t, b.latchkey, back); status != 200 {
				t.Errorf("forth again: %d", status)
			}
			for name, forged := range map[string]string{
				"the public key as a secret": signed(`{"alg":"HS256","typ":"JWT"}`, payloadOf(began), "HS256", public),
				"no algorithm":               base64url.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + strings.Split(began, ".")[1] + ".",
			} {
				if status, _, _ := refreshWith(t, b.latchkey, forged); status != 401 {
					t.Errorf("%s: %d", name, status)
				}
			}
		})
	}
}

// TestTheVerifyingKeyAloneIsEnoughToTakeOverSessions: Django's private key stays in Django; Latchkey signs with its own.
func TestTheVerifyingKeyAloneIsEnoughToTakeOverSessions(t *testing.T) {
	t.Parallel()
	need52(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, public := pemOf(t, key)
	s := newSite(t, []account{alice})
	site := s.copyOf(t)
	django := site.serve(t, "rotate", fmt.Sprintf("SIMPLE_JWT = {'ALGORITHM': 'RS256', 'SIGNING_KEY': '''%s''', 'VERIFYING_KEY': '''%s'''}\n", private, public))
	b := newDeploymentWith(t, s, "--simplejwt-algorithm=RS256", "--simplejwt-verifying-key="+strings.ReplaceAll(public, "\n", `\n`))
	began, _ := loginAt(t, django, alice)
	status, there, access := refreshWith(t, b.latchkey, began)
	if status != 200 {
		t.Fatalf("a session of Django's: %d", status)
	}
	if status, _, _ := refreshWith(t, b.latchkey, there); status != 200 {
		t.Errorf("its next refresh: %d", status)
	}
	b.api = site.serve(t, "api", "REST_FRAMEWORK = {'DEFAULT_AUTHENTICATION_CLASSES': ['rest_framework_simplejwt.authentication.JWTAuthentication']}\n"+
		fmt.Sprintf("SIMPLE_JWT = {'ALGORITHM': 'RS256', 'JWK_URL': 'http://%s/oauth2/jwks'}\n", b.latchkey))
	b.accepts(t, "an API that reads the key set", access, aliceBody)
}

// newDeploymentWith starts a Latchkey with alice.
func newDeploymentWith(t *testing.T, s *site, flags ...string) *backend {
	t.Helper()
	d := newDeployment(t).withUsers(t, []account{alice}, s.hashes)
	return &backend{deployment: d, latchkey: d.serve(flags...)}
}

func payloadOf(text string) string {
	payload, _ := base64url.DecodeString(strings.Split(text, ".")[1])
	return string(payload)
}
