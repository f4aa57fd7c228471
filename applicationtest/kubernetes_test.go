package applicationtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// kubernetesFlags are kubelogin's client.
var kubernetesFlags = []string{
	"--client-name=kubernetes", "--token-endpoint-auth-method=none", "--redirect-uri=http://localhost",
	"--grant-type=authorization_code", "--grant-type=refresh_token", "--grant-type=password", "--scope=openid profile email groups offline_access",
}

// TestKubernetes has the API server's own authenticator read the ID tokens that kubelogin gets. The module proxy does not have kubelogin:
// its requests are made here with the same libraries, golang.org/x/oauth2 and go-oidc.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	docsRow(t, "kubelogin", "`--token-endpoint-auth-method none --redirect-uri http://localhost`")
	docsRow(t, "Kubernetes API server", "`--oidc-groups-claim groups`")
	l := serve(t)
	client := l.AddClient(kubernetesFlags...)
	server := startAPIServer(t, l, client.ID, "preferred_username")
	tool := newKubelogin(t, l, client.ID)

	token := tool.logIn(t, newPerson(t))
	server.knows(t, token, username)
	expire()
	for range 2 {
		token = tool.refresh(t, token)
		server.knows(t, token, username)
	}
	// --grant-type=password
	byPassword, err := tool.config.PasswordCredentialsToken(t.Context(), username, password)
	if err != nil {
		t.Fatal(err)
	}
	server.knows(t, byPassword, username)
	// --oidc-username-claim=email is for verified addresses only.
	startAPIServer(t, l, client.ID, "email").knows(t, token, email)

	for _, token := range tool.refreshAtOnce(t, token) {
		server.knows(t, tool.refresh(t, token), username)
	}

	other := newKubelogin(t, l, l.AddClient(kubernetesFlags...).ID).logIn(t, newPerson(t))
	for name, wrong := range map[string]struct{ token, says string }{
		"an access token instead of the ID token": {token.AccessToken, `unsupported algorithm, expected ["RS256"] got "ES256"`},
		"the ID token of another client":          {other.Extra("id_token").(string), "expected audience"},
	} {
		if status, said := server.review(t, wrong.token); status != http.StatusUnauthorized || !strings.Contains(said, wrong.says) {
			t.Errorf("%s: %d %s", name, status, said)
		}
	}
}

// apiServer is the program of kubernetes/.
type apiServer struct{ *site }

// startAPIServer has the API server take the ID tokens of a client; its flags are those of kube-apiserver.
func startAPIServer(t *testing.T, l *latchkey, client, usernameClaim string) apiServer {
	t.Helper()
	s := apiServer{&site{latchkey: l, Address: freeAddress(t), Folder: t.TempDir()}}
	s.URL = "http://" + s.Address
	cmd := exec.Command(buildModule(t, "kubernetes", "."), "--listen", s.Address, "--oidc-issuer-url", l.Issuer, "--oidc-client-id", client,
		"--oidc-username-claim", usernameClaim, "--oidc-groups-claim", "groups", "--oidc-ca-file", caFile)
	cmd.Env = []string{}
	s.start(t, cmd)
	await(t, "the API server's look at the issuer", func() (bool, string) {
		status, said := s.review(t, "")
		return status != http.StatusServiceUnavailable, said
	})
	return s
}

// review posts a token to the API server.
func (s apiServer) review(t *testing.T, token string) (status int, said string) {
	t.Helper()
	answer, err := http.Post(s.URL, "text/plain", strings.NewReader(token))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// knows expects the user of an ID token to have this name, and the groups that Latchkey has.
func (s apiServer) knows(t *testing.T, token *oauth2.Token, name string) {
	t.Helper()
	raw, _ := token.Extra("id_token").(string)
	status, said := s.review(t, raw)
	if want := fmt.Sprintf("{\"groups\":[%q],\"name\":%q}\n", group, name); status != http.StatusOK || said != want {
		t.Fatalf("the API server answers %d %s, want %s", status, said, want)
	}
}

// kubelogin makes the requests of `kubectl oidc-login get-token`.
type kubelogin struct {
	config   *oauth2.Config
	verifier *oidc.IDTokenVerifier
}

func newKubelogin(t *testing.T, l *latchkey, client string) *kubelogin {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), l.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	return &kubelogin{
		&oauth2.Config{ClientID: client, Endpoint: provider.Endpoint(), Scopes: []string{"profile", "email", "groups", "openid"}},
		provider.Verifier(&oidc.Config{ClientID: client}),
	}
}

// logIn listens at a port of this machine, which the redirect URI that is registered does not have.
func (k *kubelogin) logIn(t *testing.T, p *person) *oauth2.Token {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answers := make(chan url.Values, 1)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("You have logged in to the cluster."))
		answers <- r.URL.Query()
	})}
	go server.Serve(listener)
	defer server.Close()
	config := *k.config
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	config.RedirectURL = "http://localhost:" + port
	verifier, nonce := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	p.visit(t, config.AuthCodeURL("the state", oauth2.AccessTypeOffline, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
	select {
	case answer := <-answers:
		token, err := config.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatalf("%v after %v", err, answer)
		}
		if id := k.verify(t, token); id.Nonce != nonce {
			t.Errorf("nonce = %q, want %q", id.Nonce, nonce)
		}
		return token
	default:
		t.Fatalf("the browser did not come back, the pages: %q", p.shown)
		return nil
	}
}

func (k *kubelogin) refresh(t *testing.T, token *oauth2.Token) *oauth2.Token {
	t.Helper()
	next, err := k.config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	k.verify(t, next)
	return next
}

// refreshAtOnce refreshes a token eight times at once, as parallel kubectl commands do.
func (k *kubelogin) refreshAtOnce(t *testing.T, token *oauth2.Token) (tokens [8]*oauth2.Token) {
	t.Helper()
	var wait sync.WaitGroup
	var errs [8]error
	for i := range tokens {
		wait.Go(func() {
			tokens[i], errs[i] = k.config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		})
	}
	wait.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return tokens
}

func (k *kubelogin) verify(t *testing.T, token *oauth2.Token) *oidc.IDToken {
	t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id, err := k.verifier.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
