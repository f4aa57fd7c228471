package browsertest

import (
	"encoding/json"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users"
)

const cookieName = "__Host-refresh"

// page is what the templates of testdata/pages.html are given.
type page struct {
	API, Next          string
	Username, Password string
}

// reply is what the API answered to a request of a page; what is empty the page could not read.
type reply struct {
	Status  int            `json:"status"`
	Members []string       `json:"members"`
	Body    map[string]any `json:"body"`
	Opaque  bool           `json:"opaque"`
	Error   string         `json:"error"`
}

func (r reply) is(status int, members string) bool {
	return r.Status == status && strings.Join(r.Members, " ") == members
}

// report is what a page saw.
type report struct {
	Page                                     string
	Login, First, Second                     reply
	Refresh, Blacklist, Dead                 reply
	BlindRefresh, BlindBlacklist, BlindLogin reply
	// Scripts are the cookies that scripts can read.
	Scripts string
	User    int
}

// exchange is a request of the browser to the API, as the server saw it.
type exchange struct {
	Path, Site, Origin string
	Cookie             string // what the browser sent
	Status             int
	SetCookie          string
}

// world is the API with four origins beside it.
type world struct {
	t       *testing.T
	api     http.Handler
	reports chan report

	mu  sync.Mutex
	log []exchange
}

// TestTheCookieInABrowser walks one browser over pages of four origins: the server's own, one that is listed, one of
// the same site that is not, one of another site, and the own again.
func TestTheCookieInABrowser(t *testing.T) {
	t.Parallel()
	chromium(t)
	w := &world{t: t, reports: make(chan report, 8)}
	own, ownOrigin := unstarted("localhost")
	listed, listedOrigin := unstarted("localhost")
	neighbour, neighbourOrigin := unstarted("localhost")
	stranger, strangerOrigin := unstarted("127.0.0.1") // another site than localhost
	s := servertest.New(t, servertest.Configure(func(c *server.Config) {
		c.SimpleJWT.RefreshCookie = "refresh"
		c.CORSOrigins = []string{listedOrigin}
	}))
	s.AddUser(users.NewUser{ID: 2, Username: "mallory", Active: true}, servertest.Password)
	w.api = s.Handler()
	p := page{API: ownOrigin, Username: servertest.Username, Password: servertest.Password}
	w.serve(own, p, map[string]string{"/own": listedOrigin + "/listed", "/after": ""})
	w.serve(listed, p, map[string]string{"/listed": neighbourOrigin + "/neighbour"})
	w.serve(neighbour, p, map[string]string{"/neighbour": strangerOrigin + "/stranger"})
	w.serve(stranger, p, map[string]string{"/stranger": ""})
	browse(t, ownOrigin+"/own")

	seen := w.next("own")
	if !seen.Login.is(200, "access") || !seen.First.is(200, "access") || !seen.Second.is(200, "access") {
		t.Errorf("the own page: %+v", seen)
	}
	if seen.Scripts != "[]" {
		t.Errorf("scripts can read the cookie: %s", seen.Scripts)
	}
	if e := w.from(ownOrigin); len(e) != 3 || e[1].Cookie == "" || e[2].Cookie == "" || e[1].Cookie == e[2].Cookie {
		t.Errorf("the browser did not rotate the cookie: %+v", e)
	}

	if seen := w.next("listed"); !seen.Refresh.is(200, "access") {
		t.Errorf("a listed page can't refresh: %+v", seen)
	}

	seen = w.next("neighbour")
	if seen.Refresh.Error != "TypeError" || !seen.BlindRefresh.Opaque || !seen.BlindLogin.Opaque {
		t.Errorf("the neighbour: %+v", seen)
	}
	w.refused("same-site", neighbourOrigin, true, "/api/token/refresh/", "/api/token/refresh/", "/api/token/blacklist/", "/api/token/")

	w.next("stranger")
	seen = w.next("after") // where the form's answer leads
	w.refused("cross-site", strangerOrigin, false, "/api/token/refresh/", "/api/token/")

	if !seen.Refresh.is(200, "access") || seen.User != servertest.UserID {
		t.Errorf("the session is not the user's any more: %+v", seen)
	}
	if !seen.Blacklist.is(200, "") || !seen.Dead.is(400, "refresh") {
		t.Errorf("the session is not over: %+v", seen)
	}
	if e := w.from(ownOrigin); e[len(e)-1].Cookie != "" {
		t.Errorf("the browser has kept the cookie: %+v", e[len(e)-1])
	}
}

// unstarted makes a server and tells its origin under a host name.
func unstarted(host string) (s *httptest.Server, origin string) {
	s = httptest.NewUnstartedServer(nil)
	address := s.Listener.Addr().String()
	return s, "http://" + host + address[strings.LastIndex(address, ":"):]
}

// serve serves pages, each with the one that comes after it, the reports of scripts and the API.
func (w *world) serve(s *httptest.Server, p page, next map[string]string) {
	pages := template.Must(template.ParseFiles("testdata/pages.html"))
	mux := http.NewServeMux()
	for path, following := range next {
		p := p
		p.Next = following
		mux.HandleFunc("GET "+path, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/html; charset=utf-8")
			if err := pages.ExecuteTemplate(rw, path[1:], p); err != nil {
				w.t.Error(err)
			}
		})
	}
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		var seen report
		if err := json.NewDecoder(r.Body).Decode(&seen); err != nil {
			w.t.Errorf("report: %v", err)
		}
		w.reports <- seen
	})
	mux.HandleFunc("/api/", w.answer)
	s.Config.Handler = mux
	s.Start()
	w.t.Cleanup(s.Close)
}

// answer lets the API answer and writes down what went over the wire.
func (w *world) answer(rw http.ResponseWriter, r *http.Request) {
	e := exchange{Path: r.URL.Path, Site: r.Header.Get("Sec-Fetch-Site"), Origin: r.Header.Get("Origin")}
	if c, err := r.Cookie(cookieName); err == nil {
		e.Cookie = c.Value
	}
	recorder := httptest.NewRecorder()
	w.api.ServeHTTP(recorder, r)
	e.Status, e.SetCookie = recorder.Code, recorder.Header().Get("Set-Cookie")
	if r.Method == http.MethodPost {
		w.mu.Lock()
		w.log = append(w.log, e)
		w.mu.Unlock()
	}
	for name, values := range recorder.Header() {
		rw.Header()[name] = values
	}
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		rw.Header().Set("Refresh", "0; url=/after") // brings the browser back from the stranger's form
	}
	rw.WriteHeader(recorder.Code)
	rw.Write(recorder.Body.Bytes())
}

// next waits for what the next page has to say.
func (w *world) next(page string) report {
	w.t.Helper()
	select {
	case seen := <-w.reports:
		if seen.Page != page {
			w.t.Fatalf("the page %s reports instead of %s: %+v", seen.Page, page, seen)
		}
		return seen
	case <-time.After(90 * time.Second):
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t.Fatalf("no report of the page %s; the requests: %+v", page, w.log)
	}
	return report{}
}

// from gives the requests so far of an origin's pages.
func (w *world) from(origin string) (found []exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.log {
		if e.Origin == origin {
			found = append(found, e)
		}
	}
	return found
}

// refused checks that the browser sent requests from an origin, in this order, with the cookie or without, and that the server
// refused each and left the cookie alone.
func (w *world) refused(site, origin string, withCookie bool, paths ...string) {
	w.t.Helper()
	found := w.from(origin)
	if len(found) != len(paths) {
		w.t.Errorf("%s sent %+v, want %v", origin, found, paths)
		return
	}
	for i, e := range found {
		if e.Path != paths[i] || e.Site != site || e.Status != 403 || e.SetCookie != "" || (e.Cookie != "") != withCookie {
			w.t.Errorf("%s sent %+v", origin, e)
		}
	}
}
