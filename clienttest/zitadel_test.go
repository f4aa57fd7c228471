package clienttest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
)

// website is a web application made of zitadel's handlers, which keep state and verifier in cookies.
type website struct {
	*httptest.Server
	party  rp.RelyingParty
	tokens *oidc.Tokens[*oidc.IDTokenClaims]
	info   *oidc.UserInfo
}

func (site *website) handle(mux *http.ServeMux) {
	mux.Handle("/login", rp.AuthURLHandler(func() string { return rand.Text() }, site.party))
	mux.Handle("/callback", rp.CodeExchangeHandler(rp.UserinfoCallback(
		func(w http.ResponseWriter, _ *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
			site.tokens, site.info = tokens, info
			w.Write([]byte("welcome"))
		}), site.party))
}

func TestZitadel(t *testing.T) {
	t.Parallel()
	l := serve(t)
	site := &website{}
	mux := http.NewServeMux()
	site.Server = httptest.NewServer(mux)
	t.Cleanup(site.Close)
	client := l.addClient(t, "--redirect-uri="+site.URL+"/callback", "--post-logout-redirect-uri="+site.URL+"/goodbye")
	site.party = newParty(t, l, client, site.URL+"/callback")
	site.handle(mux)

	person := newBrowser()
	if _, text := person.visit(t, site.URL+"/login", ""); text != "welcome" {
		t.Fatalf("the website says %q", text)
	}
	if want := []string{"/login", "/consent", "/callback"}; !slices.Equal(person.shown, want) {
		t.Errorf("the person saw %q, want %q", person.shown, want)
	}
	if site.info.Subject != site.tokens.IDTokenClaims.Subject || site.info.PreferredUsername != username || site.info.Email != email {
		t.Errorf("userinfo = %+v, ID token %+v", site.info, site.tokens.IDTokenClaims)
	}

	tokens := site.tokens
	for range 3 {
		next, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), site.party, tokens.RefreshToken, "", "")
		if err != nil {
			t.Fatal(err)
		}
		if next.RefreshToken == tokens.RefreshToken || next.IDTokenClaims == nil {
			t.Fatalf("refresh gave %+v after %+v", next, tokens)
		}
		tokens = next
	}
	if err := rp.RevokeToken(t.Context(), site.party, tokens.RefreshToken, "refresh_token"); err != nil {
		t.Error(err)
	}
	if _, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), site.party, tokens.RefreshToken, "", ""); err == nil {
		t.Error("a revoked token was refreshed")
	}
	signOut(t, site, person, tokens.IDToken)
}

// signOut is RP-initiated logout: without a question, since the ID token is of this browser's session, and back to the website.
func signOut(t *testing.T, site *website, person *browser, idToken string) {
	t.Helper()
	// The library asks for itself, as nobody with a session, to learn where it leads: not what a website does with it.
	address := site.party.GetEndSessionEndpoint() + "?id_token_hint=" + idToken + "&state=bye&post_logout_redirect_uri=" + site.URL + "/goodbye"
	if at, _ := person.visit(t, address, site.URL); at.String() != site.URL+"/goodbye?state=bye" {
		t.Errorf("logout leads to %s", at)
	}
	person.shown = nil
	person.visit(t, site.URL+"/login", "")
	if !slices.Contains(person.shown, "/login") {
		t.Errorf("after the logout the person saw %q, and was not asked to log in", person.shown)
	}
}

// TestZitadelEndSession lets the library itself call the endpoint.
func TestZitadelEndSession(t *testing.T) {
	t.Parallel()
	l := serve(t)
	client := l.addClient(t, "--post-logout-redirect-uri=http://127.0.0.1/goodbye")
	party := newParty(t, l, client, callback)
	verifier := oauth2.GenerateVerifier()
	answer, _ := newBrowser().visit(t, rp.AuthURL("state", party, rp.WithCodeChallenge(oidc.NewSHACodeChallenge(verifier))), callback)
	tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), answer.Query().Get("code"), party, rp.WithCodeVerifier(verifier))
	if err != nil {
		t.Fatal(err)
	}
	to, err := rp.EndSession(t.Context(), party, tokens.IDToken, "http://127.0.0.1/goodbye", "bye", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if to.String() != "http://127.0.0.1/goodbye?state=bye" {
		t.Errorf("end session leads to %s", to)
	}
}

// TestZitadelAssertion authenticates the client with a key, by assertions of its own: what --client-assertion-audience issuer takes.
func TestZitadelAssertion(t *testing.T) {
	t.Parallel()
	l := serve(t)
	key := newKey(t, "one")
	keys, err := json.Marshal(publicKeys(key))
	if err != nil {
		t.Fatal(err)
	}
	client := l.addClient(t, "--token-endpoint-auth-method=private_key_jwt", "--jwks="+string(keys))
	party := newParty(t, l, client, callback)
	tokens := logInWithKey(t, l, party, key)
	for range 3 {
		tokens, err = rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), party, tokens.RefreshToken, key.assertion(t, client.ID, l.Issuer), oidc.ClientAssertionTypeJWTAssertion)
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), party, tokens.RefreshToken, "", "")
	if err == nil || !strings.Contains(err.Error(), "invalid_client") {
		t.Errorf("without an assertion: %v", err)
	}
}

// Row O: the library's assertions have a list of audiences, and live an hour.
func TestZitadelWithJWTProfile(t *testing.T) {
	t.Parallel()
	l := serve(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "one", Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	site := &website{}
	mux := http.NewServeMux()
	site.Server = httptest.NewServer(mux)
	t.Cleanup(site.Close)
	client := l.addClient(t, "--redirect-uri="+site.URL+"/callback", "--token-endpoint-auth-method=private_key_jwt", "--jwks="+string(set))
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	cookies := newCookies()
	site.party, err = rp.NewRelyingPartyOIDC(t.Context(), l.Issuer, client.ID, client.Secret, site.URL+"/callback",
		[]string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, oidc.ScopeOfflineAccess},
		rp.WithJWTProfile(rp.SignerFromKeyAndKeyID(text, "one")), rp.WithPKCE(cookies), rp.WithCookieHandler(cookies), rp.WithSigningAlgsFromDiscovery())
	if err != nil {
		t.Fatal(err)
	}
	site.handle(mux)
	if _, text := newBrowser().visit(t, site.URL+"/login", ""); text != "welcome" {
		t.Fatalf("the website says %q", text)
	}
	if site.info.PreferredUsername != username {
		t.Errorf("userinfo = %+v", site.info)
	}
}

func newParty(t *testing.T, l *latchkey, client registered, redirectURI string) rp.RelyingParty {
	t.Helper()
	cookies := newCookies()
	party, err := rp.NewRelyingPartyOIDC(t.Context(), l.Issuer, client.ID, client.Secret, redirectURI,
		[]string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail, oidc.ScopeOfflineAccess},
		rp.WithPKCE(cookies), rp.WithCookieHandler(cookies), rp.WithSigningAlgsFromDiscovery())
	if err != nil {
		t.Fatal(err)
	}
	return party
}

func newCookies() *httphelper.CookieHandler {
	return httphelper.NewCookieHandler([]byte("0123456789abcdef0123456789abcdef"), []byte("0123456789abcdef"), httphelper.WithUnsecure())
}
