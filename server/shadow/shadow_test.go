package shadow_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/server/shadow"
)

// world is a Django, a Latchkey and the shadow before them.
type world struct {
	*httptest.Server
	django, own, rehearsed func(w http.ResponseWriter, r *http.Request)
	file                   string
	mu                     sync.Mutex
	clock                  time.Time
	stop                   func()
	proxy                  *shadow.Proxy
}

func (w *world) snapshot(testing.TB) *shadow.State { return w.proxy.State() }

func token(claims string) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + enc.EncodeToString([]byte(claims)) + ".c2ln"
}

// pair answers as simplejwt does.
func pair(w http.ResponseWriter, access, refresh string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"access":%q,"refresh":%q}`, token(access), token(refresh))
}

func setup(t testing.TB, share float64) *world {
	t.Helper()
	w := &world{file: filepath.Join(t.TempDir(), "shadow.json"), clock: time.Now()}
	w.django = func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, `{"by":"django"}`) }
	w.own = func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, `{"by":"latchkey"}`) }
	w.rehearsed = func(rw http.ResponseWriter, r *http.Request) { w.django(rw, r) }
	django := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.django(rw, r) }))
	t.Cleanup(django.Close)
	upstream, _ := url.Parse(django.URL)
	p, err := shadow.New(shadow.Config{
		Upstream: upstream, Share: share, File: w.file, Key: make([]byte, 32), Rotation: "confirmed",
		Paths:       map[shadow.Route]string{shadow.RouteVerify: "/check/"},
		UserIDClaim: "user_id", UsernameField: "username",
		Own:            http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.own(rw, r) }),
		Rehearsed:      http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.rehearsed(rw, r) }),
		Subject:        func(_ context.Context, name string) (string, error) { return strings.TrimPrefix(name, "user"), nil },
		LookupPatience: time.Minute,
		Logger:         slog.New(slog.DiscardHandler), Now: w.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.proxy = p
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(w.stop)
	w.Server = httptest.NewServer(p)
	t.Cleanup(w.Close)
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) step(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) post(t testing.TB, path, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(w.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// state stops the shadow and returns what it has counted.
func (w *world) state(t testing.TB) *shadow.State {
	t.Helper()
	w.stop()
	st, err := shadow.Read(w.file)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func refreshWith(claims string) string { return fmt.Sprintf(`{"refresh":%q}`, token(claims)) }

// A Latchkey that hangs costs Django's answers nothing: what does not fit into the queue is dropped and counted.
func TestDjangoAnswersWhileLatchkeyHangs(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	release := make(chan struct{})
	w.rehearsed = func(rw http.ResponseWriter, r *http.Request) { <-release }
	const requests = 1500
	for range requests {
		if status, body := w.post(t, "/api/token/refresh/", refreshWith(`{"user_id":1,"jti":"a"}`)); status != 200 || body != `{"by":"django"}` {
			t.Fatalf("%d %s", status, body)
		}
	}
	close(release)
	n := w.state(t).Routes[shadow.RouteRefresh]
	if n.Requests != requests || n.Dropped < 300 {
		t.Errorf("%d requests, %d dropped, of 512 that fit", n.Requests, n.Dropped)
	}
}

// A Latchkey that fails, panics or hangs leaves the share to Django, and is left alone after that.
func TestTheShareFallsBackToDjango(t *testing.T) {
	t.Parallel()
	w := setup(t, 1)
	var asked atomic.Int64
	w.own = func(rw http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			rw.WriteHeader(503)
		case 2:
			panic("broken")
		default:
			<-r.Context().Done()
		}
	}
	for range 10 {
		if status, body := w.post(t, "/api/token/", `{"username":"user1","password":"x"}`); status != 200 || body != `{"by":"django"}` {
			t.Fatalf("%d %s", status, body)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("Latchkey was asked %d times, and fails since the first", n)
	}
	w.step(time.Minute)
	w.own = func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, `{"by":"latchkey"}`) }
	if _, body := w.post(t, "/api/token/", `{"username":"user1","password":"x"}`); body != `{"by":"latchkey"}` {
		t.Errorf("after it has recovered: %s", body)
	}
	if n := w.state(t).Routes[shadow.RouteToken]; n.FellBack != 3 || n.Own != 1 {
		t.Errorf("%+v", n)
	}
}

// All requests of a user go to the same side, the login too, and about the share of the users to Latchkey.
func TestTheShareIsSticky(t *testing.T) {
	t.Parallel()
	w := setup(t, 0.1)
	here := 0
	for user := range 500 {
		_, login := w.post(t, "/api/token/", fmt.Sprintf(`{"username":"user%d","password":"x"}`, user))
		_, refresh := w.post(t, "/api/token/refresh/", refreshWith(fmt.Sprintf(`{"user_id":%d,"jti":"a"}`, user)))
		_, again := w.post(t, "/api/token/refresh/", refreshWith(fmt.Sprintf(`{"user_id":"%d","jti":"b","fam":"x"}`, user)))
		_, check := w.post(t, "/check/", fmt.Sprintf(`{"token":%q}`, token(fmt.Sprintf(`{"user_id":%d}`, user))))
		if login != refresh || refresh != again || again != check {
			t.Fatalf("user %d: %s %s %s %s", user, login, refresh, again, check)
		}
		if strings.Contains(login, "latchkey") {
			here++
		}
	}
	if here < 25 || here > 85 {
		t.Errorf("%d of 500 users are answered by Latchkey, wanted about a tenth", here)
	}
	if _, body := w.post(t, "/api/token/refresh/", `{"refresh":"garbage"}`); body != `{"by":"django"}` {
		t.Errorf("a token of nobody: %s", body)
	}
}

// Django hears of a logout that Latchkey has answered.
func TestALogoutIsPassedOn(t *testing.T) {
	t.Parallel()
	w := setup(t, 1)
	var heard atomic.Value
	w.django = func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard.Store(r.URL.Path + " " + string(body))
	}
	body := refreshWith(`{"user_id":1,"jti":"a"}`)
	w.post(t, "/api/token/blacklist/", body)
	if got := heard.Load(); got != "/api/token/blacklist/ "+body {
		t.Errorf("Django heard %v", got)
	}
}

// Long bodies are streamed in both directions and not compared; other paths pass as they are.
func TestWhatIsNotCopied(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.django = func(rw http.ResponseWriter, r *http.Request) {
		if r.Host != "site.example" || r.Header.Get("X-Forwarded-For") != "192.0.2.7" {
			t.Errorf("Django got the host %s, X-Forwarded-For %s", r.Host, r.Header.Get("X-Forwarded-For"))
		}
		body, _ := io.ReadAll(r.Body)
		rw.Write(body)
	}
	long := bytes.Repeat([]byte("0123456789"), 100_000)
	for _, path := range []string{"/api/token/", "/media/upload/"} {
		r, _ := http.NewRequest(http.MethodPost, w.URL+path, bytes.NewReader(long))
		r.Host = "site.example"
		r.Header.Set("X-Forwarded-For", "192.0.2.7")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, long) {
			t.Errorf("%s: %v, %d bytes came back", path, err, len(got))
		}
	}
	n := w.state(t).Routes[shadow.RouteToken]
	if n.Requests != 1 || n.Compared != 0 || len(n.Skipped) != 1 {
		t.Errorf("%+v", n)
	}
}

// Who presents a refresh token after its successor would be logged out by confirmed, who presents one twice by strict. A tab that is
// a few seconds late would not.
func TestReuseIsSeen(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	next := atomic.Int64{}
	w.django = func(rw http.ResponseWriter, r *http.Request) {
		n := next.Add(1)
		pair(rw, `{"user_id":1}`, fmt.Sprintf(`{"user_id":1,"jti":"r%d","exp":%d}`, n, w.now().Add(time.Hour).Unix()))
	}
	w.rehearsed = func(rw http.ResponseWriter, r *http.Request) { pair(rw, `{"user_id":1}`, `{"user_id":1,"jti":"x"}`) }
	use := func(jti string, users int) {
		t.Helper()
		w.post(t, "/api/token/refresh/", refreshWith(fmt.Sprintf(`{"user_id":%d,"jti":%q}`, users, jti)))
		w.settle(t, shadow.RouteRefresh, next.Load())
	}
	use("r0", 1) // r1
	w.step(5 * time.Second)
	use("r1", 1) // r2
	w.step(5 * time.Second)
	use("r0", 1) // r3: late, within the overlap
	w.step(time.Hour)
	use("r2", 1)
	st := w.snapshot(t)
	if st.Reuse.Confirmed.Requests != 0 || st.Reuse.Strict.Requests != 1 {
		t.Errorf("a late tab: %+v", st.Reuse)
	}
	w.step(time.Minute)
	use("r1", 1)
	st = w.state(t)
	if st.Reuse.Confirmed.Requests != 1 || st.Reuse.Confirmed.Users[0].User != "1" || st.Reuse.Strict.Requests != 2 {
		t.Errorf("a token after its successor: %+v", st.Reuse)
	}
	if !st.DjangoRotates || st.DjangoEnds.IsZero() {
		t.Errorf("rotates %t, ends %s", st.DjangoRotates, st.DjangoEnds)
	}
	r := shadow.Judge([]*shadow.State{st}, "", w.now())
	if r.Go || !strings.Contains(strings.Join(r.Against, "\n"), "confirmed would have refused 1 request") {
		t.Errorf("%q", r.Against)
	}
}

// settle waits until so many requests were compared.
func (w *world) settle(t testing.TB, route shadow.Route, requests int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if w.snapshot(t).Routes[route].Compared >= requests {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests were not compared", requests)
		}
	}
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) string { return fmt.Sprint(time.Now().Add(d).Unix()) }
	access := `{"user_id":1,"token_type":"access","iat":1000,"exp":` + in(5*time.Minute) + `,"jti":"a","tenant":"x"}`
	refresh := `{"user_id":1,"token_type":"refresh","iat":1000,"exp":` + in(24*time.Hour) + `,"jti":"b"}`
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	tokens := func(a, r string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { pair(w, a, r) }
	}
	change := func(old, changed string) func(http.ResponseWriter, *http.Request) {
		return tokens(strings.Replace(access, old, changed, 1), refresh)
	}
	for name, c := range map[string]struct {
		django, own func(http.ResponseWriter, *http.Request)
		want        string // kind: detail
		breaks      bool
	}{
		"same":       {tokens(access, refresh), tokens(strings.ReplaceAll(access, `"a"`, `"other"`), refresh), "", false},
		"own claims": {tokens(access, refresh), change(`"jti"`, `"sid":"s","jti"`), "", false},
		"status":     {tokens(access, refresh), answer(401, `{"detail":"No","code":"user_inactive"}`), "status: Django 200, Latchkey 401 user_inactive", true},
		"code":       {answer(401, `{"detail":"No","code":"a"}`), answer(401, `{"detail":"No","code":"b"}`), "code: Django a, Latchkey b", true},
		"words":      {answer(401, `{"detail":"No"}`), answer(401, `{"detail":"Nein"}`), `words: a refusal has other words in "detail"`, false},
		"field":      {answer(200, `{"user":{}}`), answer(200, `{}`), `body: Latchkey has no "user"`, true},
		"more":       {answer(200, `{}`), answer(200, `{"refresh":"x"}`), `body: Latchkey also has "refresh"`, false},
		"claim":      {tokens(access, refresh), change(`,"tenant":"x"`, ``), `claims: access: Latchkey has no "tenant"`, true},
		"value":      {tokens(access, refresh), change(`"x"`, `"y"`), `claims: access: "tenant" has another value`, true},
		"type":       {tokens(access, refresh), change(`"user_id":1`, `"user_id":"1"`), `claims: access: "user_id" has another type`, true},
		"person":     {tokens(access, refresh), change(`"user_id":1`, `"user_id":2`), `person: access is another user's`, true},
		"lifetime":   {tokens(access, refresh), change(in(5*time.Minute), in(10*time.Minute)), `lifetime: access: Django 5m0s, Latchkey 10m0s`, true},
		"content type": {answer(200, `{}`), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "{}")
		}, "headers: Content-Type differs", true},
		"cookie": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Set-Cookie", "refresh=secret; HttpOnly")
				answer(200, `{}`)(w, r)
			}, answer(200, `{}`), `headers: Latchkey sets no cookie "refresh"`, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, 0)
			w.django, w.rehearsed = c.django, c.own
			w.post(t, "/api/token/refresh/", refreshWith(`{"user_id":1,"jti":"b"}`))
			w.settle(t, shadow.RouteRefresh, 1)
			st := w.state(t)
			var got []string
			for _, d := range st.Differences {
				got = append(got, d.Kind+": "+d.Detail)
				if d.Breaks != c.breaks {
					t.Errorf("breaks: %t", d.Breaks)
				}
				if d.Examples[0].User != "1" {
					t.Errorf("example %+v", d.Examples)
				}
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if n := st.Routes[shadow.RouteRefresh].Differ; (n > 0) != c.breaks {
				t.Errorf("%d differ", n)
			}
			if text, _ := json.Marshal(st); bytes.Contains(text, []byte("c2ln")) || bytes.Contains(text, []byte("secret")) {
				t.Errorf("a secret is kept: %s", text)
			}
		})
	}
}

// Counts survive a restart, and those of two shadows are added up.
func TestCountsAreKept(t *testing.T) {
	t.Parallel()
	st := &shadow.State{Routes: map[shadow.Route]*shadow.RouteCount{
		"token": {Requests: 10, Compared: 10}, "refresh": {Requests: 200, Compared: 198, Dropped: 2}, "verify": {}, "blacklist": {},
	}}
	if r := shadow.Judge([]*shadow.State{st}, "confirmed", time.Now()); !r.Go {
		t.Errorf("one request of a hundred was dropped: %q", r.Against)
	}
	st.Routes["refresh"].Failed = 20
	if r := shadow.Judge([]*shadow.State{st}, "confirmed", time.Now()); r.Go {
		t.Error("a tenth failed, and it says go")
	}
	if r := shadow.Judge([]*shadow.State{st, st}, "confirmed", time.Now()); r.Routes["refresh"].Compared != 396 {
		t.Errorf("two files: %+v", r.Routes["refresh"])
	}
}
