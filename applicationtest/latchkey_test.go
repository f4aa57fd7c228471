package applicationtest

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/latchkeytest"
)

// patience is the time limit of every wait: the machine may be slow and busy.
const patience = latchkeytest.Patience

// The user that every server has.
const (
	username = "ada"
	password = "a good password"
	fullName = "Ada Lovelace"
	email    = "ada@example.com"
	group    = "analysts"
)

// lifetime is that of access tokens, so that they expire while a test waits. x/oauth2 takes one for expired ten seconds before.
const lifetime = 12 * time.Second

// caFile has the certificate that the applications trust.
var caFile string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "applicationtest-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	caFile = filepath.Join(folder, "ca.pem")
	trust(makeCertificate(caFile))
	if err := makeBuildFolder(folder); err != nil {
		panic(err)
	}
	code := m.Run()
	latchkeytest.Remove()
	return code
}

// trust has this process trust the certificate too: the applications that are libraries run in it, with Go's own client.
func trust(certificate *x509.Certificate) {
	transport := http.DefaultTransport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	transport.TLSClientConfig.RootCAs.AddCert(certificate)
}

// latchkey is a running server with an SQLite database of its own, behind a proxy that ends TLS as in production, and
// that writes down what arrives at the token endpoint.
type latchkey struct {
	*latchkeytest.Server
	mu     sync.Mutex
	tokens []tokenRequest
}

// tokenRequest is one request at the token endpoint.
type tokenRequest struct {
	grantType string
	status    int
	answer    string
}

// serve runs `latchkey serve` with the user until the test ends.
func serve(t *testing.T) *latchkey {
	t.Helper()
	l := &latchkey{Server: latchkeytest.New(t, latchkeytest.Config{})}
	l.Listen, l.Admin = freeAddress(t), freeAddress(t)
	front := httptest.NewUnstartedServer(l.proxy())
	front.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	front.StartTLS()
	t.Cleanup(front.Close)
	l.Issuer = strings.Replace(front.URL, "127.0.0.1", "localhost", 1)
	l.Run(password+"\n", "user", "add", "--name", fullName, "--email", email, "--email-verified", "--group", group, "--password-stdin", username)
	l.Start("serve", "--trusted-proxies=127.0.0.0/8", "--access-token-ttl="+lifetime.String())
	return l
}

func (l *latchkey) proxy() http.Handler {
	backend := &url.URL{Scheme: "http", Host: l.Listen}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		ModifyResponse: l.note,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		form, _ := url.ParseQuery(string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Del(grantHeader)
		if r.URL.Path == "/oauth2/token" {
			r.Header.Set(grantHeader, form.Get("grant_type"))
		}
		proxy.ServeHTTP(w, r)
	})
}

// grantHeader has the grant type on the way from the proxy's front to its back.
const grantHeader = "X-Test-Grant-Type"

func (l *latchkey) note(answer *http.Response) error {
	grantType := answer.Request.Header.Get(grantHeader)
	if grantType == "" {
		return nil
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	seen := tokenRequest{grantType: grantType, status: answer.StatusCode}
	if seen.status != http.StatusOK {
		seen.answer = string(body)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens = append(l.tokens, seen)
	return err
}

// refreshes returns how many refreshes there were, and the errors among them.
func (l *latchkey) refreshes() (count int, errors []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seen := range l.tokens {
		if seen.grantType != "refresh_token" {
			continue
		}
		count++
		if seen.status != http.StatusOK {
			errors = append(errors, fmt.Sprintf("%d %s", seen.status, seen.answer))
		}
	}
	return count, errors
}

// refused reports whether the last request with a grant type was refused.
func (l *latchkey) refused(grantType string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seen := range slices.Backward(l.tokens) {
		if seen.grantType == grantType {
			return seen.status == http.StatusUnauthorized
		}
	}
	return false
}

var ports struct {
	sync.Mutex
	taken map[int]bool
}

// freeAddress returns an address on which nothing listens. Its port is below those that connections get, so that none of them
// has it when the application starts.
func freeAddress(t *testing.T) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.taken == nil {
		ports.taken = map[int]bool{}
	}
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if ports.taken[port] {
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		listener.Close()
		ports.taken[port] = true
		return listener.Addr().String()
	}
	t.Fatal("no free port between 20000 and 32000")
	return ""
}

// await polls until the condition holds. The condition returns what it saw.
func await(t *testing.T, what string, condition func() (bool, string)) {
	t.Helper()
	for started := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		ok, seen := condition()
		if ok {
			return
		}
		if time.Since(started) > patience {
			t.Fatalf("%s: not within %s; the last that was seen: %s", what, patience, cmp.Or(seen, "nothing"))
		}
	}
}
