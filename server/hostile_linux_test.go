package server_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
)

// spent returns the least CPU time of this thread, and the least memory that was allocated, in three runs. A neighbour on the same core slows
// each of them down: there are more, thirty at most, while the time is above the limit.
func spent(t *testing.T, limit time.Duration, f func()) (took time.Duration, allocated uint64) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			t.Fatal(err)
		}
		return time.Duration(ts.Nano())
	}
	took, allocated = 1<<63-1, 1<<63-1
	for n := 0; n < 3 || n < 30 && took > limit; n++ {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := now()
		f()
		took = min(took, now()-start)
		runtime.ReadMemStats(&after)
		allocated = min(allocated, after.TotalAlloc-before.TotalAlloc)
	}
	return took, allocated
}

// What one request may cost: docs/security.md has the same numbers.
const (
	maxCPUPerKiB    = time.Millisecond
	maxCPUAtLeast   = 3 * time.Millisecond // what a request without anything in it may take; three signatures are checked in a millisecond
	maxMemoryPerKiB = 64 << 10
	maxMemoryBase   = 512 << 10
)

// hostile is a request that is as bad as can be for one parser; %s in its texts is what makes it long.
type hostile struct {
	method, path, kind, body string
	headers                  map[string]string
}

// Statement 75: a request with the worst that a parser can get costs CPU time and memory by its length, and little. None needs credentials.
// The test runs alone, since it reads the memory of the process.
func TestStatement75HostileRequests(t *testing.T) {
	s := servertest.New(t, servertest.Configure(func(c *server.Config) { c.Registration = "open" }))
	key := servertest.NewKey(t)
	signer := s.AddClient(clients.Registration{ID: "signer", Metadata: clients.Metadata{
		GrantTypes: []string{"authorization_code"}, TokenEndpointAuthMethod: "private_key_jwt", RedirectURIs: []string{servertest.Callback}, JWKS: key.Set(),
	}})
	const form, jsonType = "application/x-www-form-urlencoded", "application/json"
	b64 := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	jwt := func(header, payload string) string {
		return b64(header) + "." + b64(payload) + "." + b64(strings.Repeat("s", 64))
	}
	const es256 = `{"alg":"ES256"}`
	const assertion = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&grant_type=client_credentials&client_assertion="
	for name, c := range map[string]struct {
		units []string
		make  func(long string) hostile
	}{
		"form": {
			[]string{"a=b&", "%", "%41", "&", "=", "+", "a", "\xff", "scope=a&", "resource=https://x&"},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/token", form, "grant_type=password&" + long, nil}
			},
		},
		"form of a page": {
			[]string{"a=b&", "%41", "&"},
			func(long string) hostile {
				return hostile{"POST", "/login", form, long, map[string]string{"Sec-Fetch-Site": "same-origin"}}
			},
		},
		"query": {
			[]string{"a=b&", "%41", "&", "scope=a&", "%"},
			func(long string) hostile {
				return hostile{"GET", "/oauth2/authorize?client_id=web&" + long, "", "", nil}
			},
		},
		"scope": {
			[]string{"a+", "a ", "openid+", "é+"},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/par", form, "client_id=portal&scope=" + long, nil}
			},
		},
		"JSON of simplejwt": {
			[]string{`[`, `{"a":`, `"`, `\`, `0,`, `"a":1,`, "1", `\ud800`},
			func(long string) hostile { return hostile{"POST", "/api/token/", jsonType, `{"username":` + long, nil} },
		},
		"multipart of simplejwt": {
			[]string{"--B\r\n", "--B", "--", "\r\n\r\n", "--B\r\nContent-Disposition: form-data; name=x\r\n\r\ny\r\n"},
			func(long string) hostile {
				return hostile{"POST", "/api/token/", "multipart/form-data; boundary=B", long, nil}
			},
		},
		"token of simplejwt": {
			[]string{"a", ".", "[", `{"a":`},
			func(long string) hostile {
				return hostile{"POST", "/api/token/verify/", jsonType, `{"token":"` + jwt(`{"alg":"HS256"}`, long) + `"}`, nil}
			},
		},
		"registration": {
			[]string{`"https://a.example/",`, `[`, `{"a":`, `"a",`, `1,`},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/register", jsonType, `{"redirect_uris":[` + long, nil}
			},
		},
		"key set": {
			[]string{`{"kty":"RSA","n":"AQAB","e":"AQAB"},`, `{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},`, `{},`},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/register", jsonType, `{"token_endpoint_auth_method":"private_key_jwt","grant_types":["client_credentials"],"jwks":{"keys":[` + long + `{}]}}`, nil}
			},
		},
		"assertion, header": {
			[]string{`"a":1,`, `[`, `{"a":`, `"`},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/token", form, assertion + jwt(`{"alg":"ES256",`+long, `{}`), nil}
			},
		},
		"assertion, claims": {
			[]string{`"a",`, `{"a":`, `[`},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/token", form, assertion + jwt(es256, `{"iss":"signer","sub":"signer","aud":[`+long+`"a"]}`), nil}
			},
		},
		"DPoP proof": {
			[]string{`"a":1,`, `[`, `{"a":`, `"`},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/token", form, "grant_type=refresh_token&client_id=spa&refresh_token=x", map[string]string{
					"DPoP": jwt(`{"typ":"dpop+jwt","alg":"ES256","jwk":{`+long, `{}`),
				}}
			},
		},
		"request object": {
			[]string{`"a":1,`, `[`, `{"a":`},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/authorize", form, "client_id=" + signer.ID + "&request=" + jwt(es256, `{`+long), nil}
			},
		},
		"Basic": {
			[]string{"a", ":", "%41", "%"},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/token", form, "grant_type=client_credentials", map[string]string{
					"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(long)),
				}}
			},
		},
		"bearer token": {
			[]string{"a", ".", "eyJ", "lk_at_"},
			func(long string) hostile {
				return hostile{"GET", "/oauth2/userinfo", "", "", map[string]string{"Authorization": "Bearer " + long}}
			},
		},
		"cookies": {
			[]string{"a=b; ", "__Host-latchkey=x; ", ";", "=", `"`},
			func(long string) hostile { return hostile{"GET", "/login", "", "", map[string]string{"Cookie": long}} },
		},
		"Accept-Language": {
			[]string{"de,", "de;q=0.1,", ";", "a-b-c-d-e,", "x-"},
			func(long string) hostile {
				return hostile{"GET", "/login", "", "", map[string]string{"Accept-Language": long}}
			},
		},
		"other headers": {
			[]string{"a,", "for=x;", `"`, "\\\"", "00-"},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/token", form, "grant_type=x", map[string]string{
					"Forwarded": long, "Traceparent": long, "X-Forwarded-For": long, "Accept": long, "Origin": long,
				}}
			},
		},
		"tokens to refresh and to revoke": {
			[]string{"a", ".", "lk_rt_"},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/revoke", form, "client_id=spa&token=" + long, nil}
			},
		},
		"id_token_hint": {
			[]string{"a", ".", "eyJ"},
			func(long string) hostile {
				return hostile{"POST", "/oauth2/logout", form, "id_token_hint=" + long, map[string]string{"Sec-Fetch-Site": "cross-site"}}
			},
		},
	} {
		worst, most, text := time.Duration(0), uint64(0), ""
		for _, unit := range c.units {
			for _, size := range []int{4 << 10, 40 << 10} {
				h := c.make(strings.Repeat(unit, size/len(unit)))
				length := len(h.path) + len(h.body)
				for _, value := range h.headers {
					length += len(value)
				}
				status := 0
				kib := time.Duration(length>>10) + 1
				limit := maxCPUAtLeast + kib*maxCPUPerKiB
				took, allocated := spent(t, limit, func() {
					r := httptest.NewRequest(h.method, "/", strings.NewReader(h.body))
					r.URL.Path, r.URL.RawQuery, _ = strings.Cut(h.path, "?")
					r.RequestURI, r.Host = h.path, strings.TrimPrefix(s.URL, "http://")
					if h.kind != "" {
						r.Header.Set("Content-Type", h.kind)
					}
					for name, value := range h.headers {
						r.Header.Set(name, value)
					}
					w := httptest.NewRecorder()
					s.Handler().ServeHTTP(w, r)
					status = w.Code
				})
				if took > limit || allocated > maxMemoryBase+uint64(kib)*maxMemoryPerKiB || status >= 500 {
					t.Errorf("%s of %d bytes of %q: status %d, %v of CPU, %d KiB of memory", name, length, unit, status, took, allocated>>10)
				}
				if took/kib > worst {
					worst, text = took/kib, unit
				}
				most = max(most, allocated/uint64(kib))
			}
		}
		t.Logf("%-32s at most %v and %d KiB for each KiB (%q)", name, worst.Round(time.Microsecond), most>>10, text)
	}
}

// descriptors returns how many connections to itself the process may have, of the number that is wanted.
func descriptors(t *testing.T, want int) int {
	t.Helper()
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	return min(want, int(min(l.Cur, 1<<20)/2)-500)
}

// Ten thousand connections on which nothing is sent (as many as the process may open) keep nobody from being served, and take little memory.
func TestIdleConnections(t *testing.T) {
	r := run(t, func(c *server.Config) {
		c.Timeouts = server.Timeouts{ReadHeader: time.Minute, Read: time.Minute, Idle: time.Minute}
	})
	n := descriptors(t, 10_000)
	if n < 100 {
		t.Fatalf("only %d connections are possible: raise the limit of open files", n)
	}
	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := memory()
	idle := make([]net.Conn, 0, n)
	defer func() {
		for _, c := range idle {
			c.Close()
		}
	}()
	texts := []string{"", "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nX-A: ", "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na"}
	for i := range n {
		c, err := net.Dial("tcp", r.public)
		if err != nil {
			t.Fatalf("connection %d of %d: %v", i, n, err)
		}
		idle = append(idle, c)
		if _, err := io.WriteString(c, texts[i%len(texts)]); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		if status := r.status(t, r.public, "/oauth2/jwks"); status != http.StatusOK {
			t.Fatalf("with %d connections that do nothing: status %d", n, status)
		}
	}
	each := (max(memory(), before) - before) / uint64(n)
	t.Logf("%d connections take %d bytes each, both ends", n, each)
	if each > 48<<10 {
		t.Errorf("%d bytes for a connection that does nothing", each)
	}
}

// The server itself speaks HTTP/1.1 only, so that no stream of HTTP/2 can be opened and reset (CVE-2023-44487): TLS and HTTP/2 are the proxy's.
func TestNoHTTP2(t *testing.T) {
	t.Parallel()
	r := run(t)
	for name, text := range map[string]string{
		"prior knowledge": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"upgrade":         "GET /oauth2/jwks HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
	} {
		c := r.dial(t, text)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		head := make([]byte, 9)
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(head[:7], []byte("HTTP/1.")) {
			t.Errorf("%s: the answer begins with %q", name, head)
		}
		rest := make([]byte, 4)
		if _, err := io.ReadFull(c, rest); err != nil {
			t.Fatal(err)
		}
		if status := fmt.Sprintf("%s%s", head[8:], rest); strings.HasPrefix(strings.TrimSpace(status), "101") {
			t.Errorf("%s: the connection was switched", name)
		}
	}
}
