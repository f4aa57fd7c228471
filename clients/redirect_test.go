package clients_test

import (
	"errors"
	"strings"
	"testing"

	"latchkey/clients"
)

func redirecting(applicationType string, uris ...string) clients.Metadata {
	return clients.Metadata{ApplicationType: applicationType, RedirectURIs: uris}
}

// RFC 8252 §7.3, §8.3 and RFC 9700 §4.1.3: no scheme that a browser runs or reads, http inside the machine only, no wildcard.
func TestRedirectURIsAtRegistration(t *testing.T) {
	t.Parallel()
	both := []string{"web", "native"}
	good := map[string][]string{
		"https://app.example/cb":              both,
		"https://app.example":                 both,
		"https://app.example:8443/cb?x=1&y=2": both,
		"https://192.0.2.1/cb":                both,
		"https://[2001:db8::1]:8443/cb":       both,
		"https://localhost/cb":                both,
		"https://a/cb%20x":                    both,
		"http://127.0.0.1/cb":                 both,
		"http://127.0.0.1:3000/cb":            both,
		"http://[::1]:3000/cb":                both,
		"http://localhost:3000/":              both,
		"http://localhost":                    both,
		"http://192.168.0.1/cb":               both,
		"http://10.1.2.3:8080/cb":             both,
		"http://[fd00::1]/cb":                 both,
		"http://grafana:3000/login":           both,
		"http://app.internal/cb":              both,
		"http://printer.local/cb":             both,
		"com.example.app:/oauth2redirect":     {"native"},
		"com.example.app://callback":          {"native"},
	}
	for uri, types := range good {
		for _, applicationType := range both {
			_, _, err := clients.Validate(redirecting(applicationType, uri), clients.Policy{})
			if allowed := strings.Contains(strings.Join(types, " "), applicationType); (err == nil) != allowed {
				t.Errorf("%s %s: %v", applicationType, uri, err)
			}
		}
	}
	bad := []string{
		"", " ", "/cb", "cb", "//app.example/cb", "app.example/cb", "?x", "#", ":", "https:", "https://", "https:///cb", "https:/cb", "https:app.example/cb",
		"http://app.example/cb", "http://11.0.0.1/cb", "http://8.8.8.8/cb", "http://0x0a000001/cb", "http://10.1/cb", "http://intern./cb", "http://Intern/cb", "http://a.localdomain/cb", "http://internal.example/cb", "http://169.254.169.254/cb", "http://[fe80::1]/cb", "http://[::ffff:10.0.0.1]/cb", "http://100.64.0.1/cb", "http://10.0.0.1@evil.example/cb", "http://127.0.0.2/cb", "http://localhost.example/cb", "http://localhost@evil.example/cb",
		"http://127.0.0.1.evil.example/cb", "http://127.0.0.1@evil.example/cb", "http://127.1/cb", "http://0.0.0.0/cb", "http://[::]/cb", "http://2130706433/cb",
		"http://LOCALHOST/cb", "HTTP://localhost/cb", "http://localhost:/cb", "http://localhost:0/cb", "http://localhost:65536/cb", "http://localhost:x/cb",
		"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x", "blob:https://app.example/1",
		"about:blank", "ftp://app.example/", "ws://app.example/", "mailto:a@example.com", "urn:ietf:wg:oauth:2.0:oob", "myapp:/cb", "myapp://cb",
		"com.:/cb", ".example:/cb", "com..example:/cb", "com.example.app:", "com.example.app:cb",
		"https://app.example/cb#", "https://app.example/cb#x", "https://app.example/*", "https://*.example/cb", "https://app.example/cb?*", "com.example.*:/cb",
		"https://user@app.example/cb", "https://user:password@app.example/cb", "https://@app.example/cb", "https://app.example@evil.example/cb",
		"https://app.example\\cb", "https://app.example\\@evil.example/cb", "https://app.example/c b", "https://app.example/\x00", "https://app.example/\n", "https://äpp.example/cb",
		"https://app.example/ä", "https://app.example/%zz", "https://app.example/%4", "https://app.example/?x=%", "https://%61pp.example/cb", "https://app..example/cb", "https://.example/cb",
		"https://app.example/a/../cb", "https://app.example/./cb", "https://app.example/%2e%2e/cb", "https://app.example/.%2E", "https://app.example:443x/cb", "https://[::1/cb", "https://[fe80::1%25eth0]/cb",
		"https://app.example/<script>", "https://app.example/\"", "https://app.example/" + strings.Repeat("a", 2048),
	}
	for _, uri := range bad {
		for _, applicationType := range both {
			m := redirecting(applicationType, "https://app.example/good", uri)
			if uri == "" {
				m.RedirectURIs = []string{uri} // an empty one alone is none
			}
			_, _, err := clients.Validate(m, clients.Policy{})
			var wrong *clients.MetadataError
			if !errors.As(err, &wrong) || wrong.Code != "invalid_redirect_uri" || wrong.Field != "redirect_uris" || wrong.Description == "" {
				t.Errorf("%s %q: %v", applicationType, uri, err)
			}
			m = redirecting(applicationType, "https://app.example/good")
			m.PostLogoutRedirectURIs = []string{uri}
			if _, _, err := clients.Validate(m, clients.Policy{}); uri != "" && (!errors.As(err, &wrong) || wrong.Code != "invalid_client_metadata") {
				t.Errorf("%s %q after logout: %v", applicationType, uri, err)
			}
		}
	}
}

func TestStatement1RedirectURIsAreComparedByteByByte(t *testing.T) {
	t.Parallel()
	c := &clients.Client{Metadata: redirecting("web", "https://a/cb")}
	for _, uri := range []string{
		"https://a/cb/", "https://a/cb?x", "https://a/CB", "https://a:443/cb", "https://a/%63b", "https://a@evil/cb", "https://a/cb/../x", "https://a\\cb",
		"https://a\\@evil/cb", "https://a/cb#", "https://a/cb%00", "https://a/cb\t", " https://a/cb", "//a/cb", "https:a/cb",
	} {
		if c.MatchRedirectURI(uri) {
			t.Errorf("%q matches", uri)
		}
	}
	if !c.MatchRedirectURI("https://a/cb") {
		t.Error("it does not match itself")
	}
}

func TestStatement3OnlyThePortOfALoopbackURIIsFree(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		for _, registered := range []string{"http://" + host + "/cb", "http://" + host + ":8000/cb"} {
			for _, applicationType := range []string{"native", "web"} {
				m, _, err := clients.Validate(redirecting(applicationType, registered), clients.Policy{})
				if err != nil {
					t.Fatal(err)
				}
				c := &clients.Client{Metadata: m}
				for _, uri := range []string{"http://" + host + "/cb", "http://" + host + ":1/cb", "http://" + host + ":65535/cb"} {
					if !c.MatchRedirectURI(uri) {
						t.Errorf("%s does not match %s", uri, registered)
					}
				}
				for _, uri := range []string{
					"https://" + host + ":1/cb", "http://" + host + ":1/", "http://" + host + ":1/cb/", "http://" + host + ":1/cb?x", "http://" + host + ":1/CB",
					"http://" + host + ".evil.example:1/cb", "http://" + host + "@evil.example/cb", "http://127.0.0.2:1/cb", "http://evil.example:1/cb",
				} {
					if c.MatchRedirectURI(uri) {
						t.Errorf("%s matches %s", uri, registered)
					}
				}
			}
		}
	}
	for _, uri := range []string{"http://a.example/cb", "http://127.0.0.2/cb", "http://localhost.example/cb"} {
		for _, applicationType := range []string{"native", "web"} {
			if _, _, err := clients.Validate(redirecting(applicationType, uri), clients.Policy{}); err == nil {
				t.Errorf("%s is registered", uri)
			}
		}
	}
	// Claimed https URLs have no free port (RFC 8252 §7.2).
	if (&clients.Client{Metadata: redirecting("native", "https://localhost/cb")}).MatchRedirectURI("https://localhost:1/cb") {
		t.Error("the port of https is free")
	}
}

// RFC 9700 §2.1, RFC 8252 §7.3: the same bytes, but for the port of a loopback URI.
func TestMatchRedirectURI(t *testing.T) {
	t.Parallel()
	cases := []struct {
		registered string
		match      []string
		differ     []string
	}{
		{
			"https://a/cb",
			[]string{"https://a/cb"},
			[]string{
				"", "https://a/cb/", "https://a/cb?x", "https://a/CB", "https://A/cb", "https://a:443/cb", "https://a/%63b", "https://a@evil/cb", "https://a/cb/../x", "https://a\\cb",
				"https://a/cb#", "http://a.example/cb", "https://a/cb ", "HTTPS://a/cb", "https://a/c", "https://a:8443/cb",
			},
		},
		{
			"http://127.0.0.1/cb?x=1",
			[]string{"http://127.0.0.1/cb?x=1", "http://127.0.0.1:1/cb?x=1", "http://127.0.0.1:65535/cb?x=1"},
			[]string{
				"http://127.0.0.1:1/cb", "http://127.0.0.1:1/CB?x=1", "http://localhost:1/cb?x=1", "http://[::1]:1/cb?x=1", "https://127.0.0.1:1/cb?x=1", "http://127.0.0.1:/cb?x=1",
				"http://127.0.0.1:0/cb?x=1", "http://127.0.0.1:65536/cb?x=1", "http://127.0.0.1:080/cb?x=1", "http://127.0.0.1:1@evil/cb?x=1", "http://127.0.0.1:1:2/cb?x=1",
				"http://127.0.0.1:+1/cb?x=1", "http://127.0.0.1:1 /cb?x=1", "http://127.0.0.2:1/cb?x=1", "http://127.0.0.1.evil/cb?x=1", "http://127.0.0.1@evil/cb?x=1", "http://127.0.0.1:1\\/cb?x=1",
			},
		},
		{
			"http://localhost:3000",
			[]string{"http://localhost:3000", "http://localhost", "http://localhost:4000"},
			[]string{"http://localhost:4000/", "http://localhost.evil", "http://localhost:4000@evil", "http://localhost:4000#x", "http://127.0.0.1:3000"},
		},
		{"http://[::1]:3000/cb", []string{"http://[::1]:5/cb"}, []string{"http://[::1]5/cb", "http://::1:5/cb", "http://[0::1]:5/cb"}},
		{"com.example.app:/cb", []string{"com.example.app:/cb"}, []string{"com.example.app:/CB", "com.example.app://cb", "com.example.app:1/cb"}},
	}
	for _, c := range cases {
		client := &clients.Client{Metadata: redirecting("native", "https://other.example/x", c.registered)}
		for _, uri := range c.match {
			if !client.MatchRedirectURI(uri) {
				t.Errorf("%q does not match %q", uri, c.registered)
			}
		}
		for _, uri := range c.differ {
			if client.MatchRedirectURI(uri) {
				t.Errorf("%q matches %q", uri, c.registered)
			}
		}
	}
	if (&clients.Client{}).MatchRedirectURI("http://localhost/") {
		t.Error("a client without redirect URIs matches one")
	}
}

// Whatever text is registered: what passes is absolute, has no fragment and no dangerous scheme, and matches itself only,
// or its loopback twin.
func FuzzRedirectURI(f *testing.F) {
	for _, seed := range []string{"https://a/cb", "http://localhost:3000/cb", "com.example.app:/cb", "javascript:alert(1)", "https://a@b/", "http://[::1]/", "https://a/%2e%2e/"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, registered, presented string) {
		m, _, err := clients.Validate(redirecting("native", registered), clients.Policy{})
		if err != nil || len(m.RedirectURIs) == 0 {
			return
		}
		scheme, rest, ok := strings.Cut(m.RedirectURIs[0], ":")
		loopback := strings.HasPrefix(rest, "//localhost") || strings.HasPrefix(rest, "//127.0.0.1") || strings.HasPrefix(rest, "//[::1]")
		switch {
		case !ok, strings.ContainsAny(rest, "#*\\ <>\"\n\x00"), scheme == "http" && !loopback,
			scheme != "http" && scheme != "https" && !strings.Contains(scheme, "."):
			t.Fatalf("%q is registered", registered)
		}
		c := &clients.Client{Metadata: m}
		if !c.MatchRedirectURI(registered) {
			t.Fatalf("%q does not match itself", registered)
		}
		if presented != registered && c.MatchRedirectURI(presented) && !(scheme == "http" && strings.HasPrefix(presented, "http://")) {
			t.Fatalf("%q matches %q", presented, registered)
		}
	})
}
