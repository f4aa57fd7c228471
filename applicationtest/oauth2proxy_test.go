package applicationtest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOAuth2Proxy keeps sessions in the cookie, as is the default: nothing keeps requests from refreshing at the same time.
func TestOAuth2Proxy(t *testing.T) {
	t.Parallel()
	oauth2ProxyApplication.run(t)
}

// TestOAuth2ProxyWithoutPKCE is the one without code_challenge_method: it sends no nonce either. The refusal names what to set.
func TestOAuth2ProxyWithoutPKCE(t *testing.T) {
	t.Parallel()
	a := oauth2ProxyApplication
	a.start = func(t *testing.T, s *site) {
		startOAuth2Proxy(t, s, "code_challenge_method", "# code_challenge_method")
	}
	s := a.begin(t)
	end := newPerson(t).visit(t, s.URL+a.login)
	if said := end.Request.URL.Query().Get("error_description"); !strings.Contains(said, "PKCE") || !strings.Contains(said, "--no-require-pkce") {
		t.Errorf("the refusal does not say what to set: %s", end)
	}
	s.doctorSays(t, "--no-require-pkce")
	s.Run("", "client", "update", s.client.ID, "--no-require-pkce")
	await(t, "a login with --no-require-pkce", func() (bool, string) {
		p := newPerson(t)
		end := p.visit(t, s.URL+a.login)
		return a.user(p.get(t, s.URL+a.whoami)) == nil, end.String()
	})
}

var oauth2ProxyApplication = application{
	name: "oauth2-proxy", example: "oauth2-proxy.cfg", callback: "/oauth2/callback",
	login: "/oauth2/start?rd=/", whoami: "/", logout: "/oauth2/sign_out",
	sees:      map[string]string{"X-Forwarded-Email": email, "X-Forwarded-Preferred-Username": username},
	refreshes: true, federated: true,
	wrongSecret: "invalid_client",
	start:       func(t *testing.T, s *site) { startOAuth2Proxy(t, s) },
}

func startOAuth2Proxy(t *testing.T, s *site, more ...string) {
	t.Helper()
	config := s.example(t, append(more,
		"COOKIE_SECRET", base64.URLEncoding.EncodeToString(make([]byte, 32)),
		"http://127.0.0.1:8080", upstream(t), `"14m"`, `"`+(lifetime/2).String()+`"`)...)
	file := filepath.Join(s.Folder, "oauth2-proxy.cfg")
	write(t, file, config)
	cmd := exec.Command(buildModule(t, "oauth2-proxy", "github.com/oauth2-proxy/oauth2-proxy/v7"), "--config", file, "--http-address", s.Address, "--cookie-secure=false")
	cmd.Env = []string{"SSL_CERT_FILE=" + caFile}
	s.start(t, cmd)
}

// upstream is the application behind a proxy: it answers with the headers that the proxy adds.
func upstream(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := map[string]string{}
		for name, values := range r.Header {
			seen[name] = strings.Join(values, ", ")
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(seen)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
