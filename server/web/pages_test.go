package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"latchkey/server/web"
	"latchkey/server/web/outcome"
)

var now = time.Date(2026, 11, 22, 14, 5, 0, 0, time.UTC)

func setup(t testing.TB, change ...func(*web.Config)) *web.Pages {
	t.Helper()
	cfg := web.Config{BasePath: "/auth", Now: func() time.Time { return now }}
	for _, c := range change {
		c(&cfg)
	}
	p, err := web.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func show(t testing.TB, p *web.Pages, v web.View, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if err := p.Render(w, r, 200, v); err != nil {
		t.Fatal(err)
	}
	return w
}

func parse(t testing.TB, body string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// all gives the elements of a tag whose attributes are as given: all(doc, "input", "name", "username").
func all(doc *html.Node, tag string, attrs ...string) (found []*html.Node) {
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != tag {
			continue
		}
		ok := true
		for i := 0; i < len(attrs); i += 2 {
			ok = ok && attr(n, attrs[i]) == attrs[i+1]
		}
		if ok {
			found = append(found, n)
		}
	}
	return found
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// filled gives every view with s in each of its texts. Links are left out: they are there or not.
func filled(s string) []web.View {
	views := []any{
		&web.Login{
			Hidden: make([]web.Field, 1), Problem: outcome.Throttled, RetryAfter: time.Minute, RememberTTL: time.Hour,
			Way: web.Way{Away: true},
		},
		&web.Consent{Hidden: make([]web.Field, 1), LocalOnly: true, Scope: make([]web.ScopeInfo, 2), Resources: make([]web.ResourceInfo, 1), Lifetime: time.Hour},
		&web.Consent{Client: web.ClientInfo{Unverified: true}, Scope: make([]web.ScopeInfo, 1)},
		&web.Device{Problem: outcome.WrongUserCode},
		&web.DeviceConfirm{
			Hidden: make([]web.Field, 1), Scope: make([]web.ScopeInfo, 2), Resources: make([]web.ResourceInfo, 1), At: now, Lifetime: time.Hour,
			Client: web.ClientInfo{Unverified: true},
		},
		&web.DeviceDone{Approved: true},
		&web.Error{Status: 400, Advice: "redirect", ReturnURL: "https://app.example/"},
		&web.Logout{Hidden: make([]web.Field, 1)},
		&web.LoggedOut{ReturnURL: "https://app.example/"},
		&web.NotLoggedOut{BadHint: true},
		&web.FormPost{Fields: make([]web.Field, 2)},
		&web.Account{
			HasPassword: true, Notice: outcome.AppEnded, Problem: outcome.Mismatch,
			Sessions: []web.SessionInfo{{Current: true, Since: now, LastSeen: now}, {Since: now}},
			Apps:     []web.AppInfo{{Scope: make([]web.ScopeInfo, 1), Since: now, LastUsed: now, Sessions: 2}},
			Events:   []web.EventInfo{{At: now}},
		},
	}
	var list []web.View
	for _, v := range views {
		fill(reflect.ValueOf(v).Elem(), s)
		list = append(list, reflect.ValueOf(v).Elem().Interface().(web.View))
	}
	return list
}

func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "URI" && name != "PolicyURI" && name != "TosURI" && name != "ReturnURL" && name != "Advice" {
				fill(v.Field(i), s)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), s)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			v.SetString(s)
		}
	}
}

// shape is a page without its texts: elements with the names of their attributes.
func shape(t testing.TB, body string) []string {
	var list []string
	for n := range parse(t, body).Descendants() {
		switch n.Type {
		case html.ElementNode:
			s := n.Data
			for _, a := range n.Attr {
				if a.Key != "autofocus" { // depends on whether a username is filled in
					s += " " + a.Key
				}
			}
			list = append(list, s)
		case html.CommentNode:
			list = append(list, "comment")
		}
	}
	return list
}

// hostile is what strangers call themselves.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)`,
	"javascript:alert(1)",
	`</title></style></textarea><svg onload=alert(1)>`,
	`<!-- a`, `]]>`, `&lt;b&gt; &#x202e;`, `{{.}}`, `a {client} {user}`,
	"\u202eteertS kcolC\u202c a", "\u2066a\u2069", "a\u200b\u200d\ufeff\u2060b", "a\u0000\u0007\r\n\tb", "\xff\xfea",
	"a" + strings.Repeat("\u0300", 500), "\U000e0041a", "\u3164a", "a\u2028b",
	strings.Repeat("W", 10_000), strings.Repeat("a ", 5_000), strings.Repeat("<b>", 3_333) + "a",
	strings.Repeat("\u202e", 10_000) + "a",
}

func checkHostile(t testing.TB, p *web.Pages, s string) {
	tame := filled("x")
	for i, v := range filled(s) {
		body := show(t, p, v).Body.String()
		if got, want := shape(t, body), shape(t, show(t, p, tame[i]).Body.String()); !slices.Equal(got, want) {
			t.Errorf("%T: %.60q changes the page:\n%v\n%v", v, s, got, want)
		}
		for n := range parse(t, body).Descendants() {
			if n.Type == html.ElementNode {
				for _, a := range n.Attr {
					if a.Key != "name" && a.Key != "value" && a.Key != "href" && a.Key != "action" { // what forms send back stays as it is
						checkSeen(t, v, a.Val)
					}
					if (a.Key == "href" || a.Key == "src" || a.Key == "action") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
						t.Errorf("%T: %s=%.60q", v, a.Key, a.Val)
					}
				}
			} else if n.Type == html.TextNode {
				checkSeen(t, v, n.Data)
				if len([]rune(strings.TrimSpace(n.Data))) > 510 {
					t.Errorf("%T: %d characters in one text", v, len(n.Data))
				}
			}
		}
	}
}

// checkSeen finds what can't be seen or turns its neighbours around.
func checkSeen(t testing.TB, v web.View, s string) {
	if i := strings.IndexFunc(s, func(c rune) bool {
		return c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 || c >= 0x200b && c <= 0x200f || c >= 0x2028 && c <= 0x202e ||
			c >= 0x2060 && c <= 0x206f || c == 0xfeff || c == 0xfffd || c == 0x3164 || c >= 0xe0000 && c <= 0xe007f
	}); i >= 0 {
		t.Errorf("%T: %.60q holds what can't be seen", v, s)
	}
	if strings.Contains(s, "\u0300\u0300\u0300") {
		t.Errorf("%T: a pile of marks", v)
	}
}

func TestHostileTextsChangeNoPage(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for _, s := range hostile {
		checkHostile(t, p, s)
	}
}

func FuzzHostileTexts(f *testing.F) {
	p := setup(f)
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		checkHostile(t, p, s+"a") // a text of nothing visible is no text
	})
}

func TestUntrustedTextIsIsolated(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for _, v := range filled("Foreign") {
		for n := range parse(t, show(t, p, v).Body.String()).Descendants() {
			if n.Type == html.TextNode && strings.Contains(n.Data, "Foreign") && n.Parent.Data != "bdi" {
				t.Errorf("%T: %q in <%s>", v, n.Data, n.Parent.Data)
			}
		}
	}
}

func TestLinksOfClients(t *testing.T) {
	t.Parallel()
	p := setup(t)
	links := func(c web.ClientInfo) (hrefs []string) {
		for _, a := range all(parse(t, show(t, p, web.Consent{Client: c}).Body.String()), "a", "target", "_blank") {
			hrefs = append(hrefs, attr(a, "href"))
			if !strings.Contains(attr(a, "rel"), "noopener") {
				t.Error("the other page can reach this one")
			}
		}
		return hrefs
	}
	if got := links(web.ClientInfo{URI: "https://a.example/", PolicyURI: "javascript:alert(1)", TosURI: "https://u@a.example/"}); !slices.Equal(got, []string{"https://a.example/"}) {
		t.Errorf("links are %v", got)
	}
	if got := links(web.ClientInfo{URI: "https://a.example/", Unverified: true}); got != nil {
		t.Errorf("a client that nobody knows has links: %v", got)
	}
}

func TestTheEndOfAHostIsShown(t *testing.T) {
	t.Parallel()
	doc := parse(t, show(t, setup(t), web.Consent{RedirectHost: strings.Repeat("login.bank.example.", 30) + "evil.example"}).Body.String())
	if host := text(all(doc, "dd", "class", "host")[0]); !strings.HasSuffix(host, ".evil.example") || !strings.HasPrefix(host, "…") {
		t.Errorf("the host is shown as %q", host)
	}
}

// What password managers, scripts and handlers rely on.
func TestForms(t *testing.T) {
	t.Parallel()
	p := setup(t)
	hidden := []web.Field{{Name: "return_to", Value: `/oauth2/authorize?continue=a&b="` + "\u200b"}}
	for _, c := range []struct {
		view   web.View
		action string
		fields []string // tag name=value type autocomplete
	}{
		{web.Login{Action: "/auth/login", Hidden: hidden, Username: "ada", RememberTTL: time.Hour}, "/auth/login", []string{
			"input return_to=" + hidden[0].Value + " hidden ", "input username=ada text username", "input password= password current-password",
			"input remember=on checkbox ", "button =  ",
		}},
		{web.Consent{Action: "/auth/consent", Hidden: hidden}, "/auth/consent", []string{
			"input return_to=" + hidden[0].Value + " hidden ", "button decision=allow  ", "button decision=deny  ",
		}},
		{web.Logout{Action: "/auth/oauth2/logout", Hidden: hidden}, "/auth/oauth2/logout", []string{
			"input return_to=" + hidden[0].Value + " hidden ", "button decision=logout  ", "button decision=cancel  ",
		}},
		{web.FormPost{Action: "https://app.example/cb", Fields: hidden}, "https://app.example/cb", []string{
			"input return_to=" + hidden[0].Value + " hidden ", "button =  ",
		}},
	} {
		forms := all(parse(t, show(t, p, c.view).Body.String()), "form", "method", "post", "action", c.action)
		if len(forms) != 1 {
			t.Errorf("%T: %d forms", c.view, len(forms))
			continue
		}
		if got := fields(forms[0]); !slices.Equal(got, c.fields) {
			t.Errorf("%T has %q, want %q", c.view, got, c.fields)
		}
	}
}

func fields(form *html.Node) (list []string) {
	for n := range form.Descendants() {
		if n.Type == html.ElementNode && (n.Data == "input" || n.Data == "button") {
			list = append(list, fmt.Sprintf("%s %s=%s %s %s", n.Data, attr(n, "name"), attr(n, "value"), attr(n, "type"), attr(n, "autocomplete")))
		}
	}
	return list
}

func TestAccountForms(t *testing.T) {
	t.Parallel()
	doc := parse(t, show(t, setup(t), web.Account{
		Username: "ada", HasPassword: true, Sessions: []web.SessionInfo{{ID: "s1", Current: true}, {ID: "s2"}},
		Apps: []web.AppInfo{{Client: web.ClientInfo{ID: "app\u200b"}}},
	}).Body.String())
	got := map[string][]string{}
	for _, form := range all(doc, "form", "method", "post") {
		for _, f := range fields(form) {
			if !strings.HasPrefix(f, "button =") {
				got[attr(form, "action")] = append(got[attr(form, "action")], f)
			}
		}
		if all(form, "button") == nil {
			t.Errorf("%s has no button", attr(form, "action"))
		}
	}
	want := map[string][]string{
		"/auth/account/password": {
			"input username=ada text username", "input current_password= password current-password",
			"input new_password= password new-password", "input new_password_again= password new-password",
		},
		"/auth/account/sessions/end":     {"input session=s2 hidden "}, // not the present one: that is what sign-out is for
		"/auth/account/applications/end": {"input client_id=app\u200b hidden "},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	for _, action := range []string{"/auth/account/sign-out", "/auth/account/sessions/end-all"} {
		if len(all(doc, "form", "method", "post", "action", action)) != 1 {
			t.Errorf("no form for %s", action)
		}
	}
}

func TestLoginOfOneWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	doc := parse(t, show(t, setup(t), web.Login{Account: "ada", Username: "x"}).Body.String())
	b := all(doc, "button", "name", "action", "value", "continue")
	if len(b) != 1 || text(b[0]) != "Continue as ada" {
		t.Fatalf("%d buttons", len(b))
	}
	for n := b[0].Parent; n != nil; n = n.Parent {
		if n.Data == "form" && len(all(n, "input", "required", "")) > 0 && all(n, "input", "name", "password") != nil {
			t.Error("a browser would ask for the password first")
		}
	}
}

func TestEveryFieldHasALabelAndEveryProblemIsSaid(t *testing.T) {
	t.Parallel()
	p := setup(t)
	for _, v := range filled("x") {
		doc := parse(t, show(t, p, v).Body.String())
		if n := len(all(doc, "h1")); n != 1 {
			t.Errorf("%T: %d main headings", v, n)
		}
		ids := map[string]bool{}
		for n := range doc.Descendants() {
			if id := attr(n, "id"); id != "" && ids[id] {
				t.Errorf("%T: two elements are %s", v, id)
			} else {
				ids[id] = true
			}
		}
		for _, in := range all(doc, "input") {
			if kind := attr(in, "type"); kind != "text" && kind != "password" || attr(in, "id") == "" {
				continue
			}
			if len(all(doc, "label", "for", attr(in, "id"))) != 1 {
				t.Errorf("%T: %s has no label", v, attr(in, "name"))
			}
			for id := range strings.FieldsSeq(attr(in, "aria-describedby")) {
				if !ids[id] {
					t.Errorf("%T: %s is described by %s, which is not there", v, attr(in, "name"), id)
				}
			}
		}
	}
	for _, problem := range []outcome.Problem{
		outcome.Credentials, outcome.Throttled, outcome.Overload, outcome.WrongPassword,
		outcome.WeakPassword, outcome.InvalidPassword, outcome.Mismatch, outcome.NoCookies, "unheard_of",
	} {
		for _, v := range []web.View{web.Login{Problem: problem}, web.Account{HasPassword: true, Problem: problem}} {
			if a := all(parse(t, show(t, p, v).Body.String()), "p", "role", "alert"); len(a) != 1 || text(a[0]) == "" {
				t.Errorf("%T says nothing of %s", v, problem)
			}
		}
	}
	if a := all(parse(t, show(t, p, web.Login{}).Body.String()), "p", "role", "alert"); len(a) != 0 {
		t.Error("a problem where there is none")
	}
}

func TestConsentSaysWhatIsAsked(t *testing.T) {
	t.Parallel()
	v := web.Consent{
		Username: "ada", Client: web.ClientInfo{ID: "id", Name: "Notes", LogoURL: "/auth/logo/1"}, RedirectHost: "app.example",
		Scope:     []web.ScopeInfo{{Name: "openid"}, {Name: "notes:read", New: true}},
		Resources: []web.ResourceInfo{{Identifier: "https://api.example", Name: "API"}}, Lifetime: 30 * 24 * time.Hour, Offline: true,
	}
	doc := parse(t, show(t, setup(t), v).Body.String())
	got := text(all(doc, "main")[0])
	for _, want := range []string{
		"Notes wants to access your account", "Signed in as ada", "app.example", "Know who you are", "notes:read New", "API https://api.example",
		"Up to 30 days, even while you are signed out",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not on the page: %s", want, got)
		}
	}
	if len(all(doc, "img", "src", "/auth/logo/1")) != 1 {
		t.Error("no logo")
	}
	for _, word := range []string{"Unverified", "on this computer"} {
		if strings.Contains(got, word) {
			t.Errorf("%q is on the page of a known client", word)
		}
	}
	v.Client.Unverified, v.LocalOnly, v.Offline = true, true, false
	got = text(all(parse(t, show(t, setup(t), v).Body.String()), "main")[0])
	for _, want := range []string{"Unverified", "We haven’t verified", "a program on this computer", "only while you are signed in"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	// On the first time everything is new, which nobody needs to be told line by line.
	v.Scope[0].New = true
	if strings.Contains(text(all(parse(t, show(t, setup(t), v).Body.String()), "main")[0]), "New") {
		t.Error("everything is marked as new")
	}
}

func TestAPageIsSmall(t *testing.T) {
	t.Parallel()
	p := setup(t)
	const most = 30_000
	for _, v := range append(filled("x"), account()) {
		body := show(t, p, v).Body.Bytes()
		total := len(body)
		for _, url := range loaded(t, string(body)) {
			total += fetch(t, p, strings.TrimPrefix(url, "/auth")).Body.Len()
		}
		if total > most {
			t.Errorf("%T is %d bytes with everything", v, total)
		}
	}
}

// loaded are the files that a page loads.
func loaded(t testing.TB, body string) (urls []string) {
	for n := range parse(t, body).Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch url := ""; n.Data {
		case "link":
			urls = append(urls, attr(n, "href"))
		case "img", "script":
			if url = attr(n, "src"); strings.HasPrefix(url, "/auth/static/") && !slices.Contains(urls, url) {
				urls = append(urls, url)
			}
		}
	}
	return urls
}

// account is a page of a busy user.
func account() web.Account {
	v := web.Account{Username: "ada", Email: "ada@example.org", HasPassword: true}
	for i := range 10 {
		at := now.Add(-time.Duration(i) * 29 * time.Hour)
		v.Sessions = append(v.Sessions, web.SessionInfo{ID: "0193c2d5-7b1e-7cc0-9d3a-1f0f0d0c0b0a", UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0", Address: "192.0.2.1", Since: at, LastSeen: at})
		v.Apps = append(v.Apps, web.AppInfo{Client: web.ClientInfo{ID: "notes", Name: "Notes for Teams"}, Scope: []web.ScopeInfo{{Name: "openid"}, {Name: "email"}}, Since: at, LastUsed: at, Sessions: i})
		v.Events = append(v.Events, web.EventInfo{At: at, Action: "login_succeeded", ClientName: "Notes", Address: "192.0.2.1"}, web.EventInfo{At: at, Action: "browser_session_ended"})
	}
	return v
}

func BenchmarkRender(b *testing.B) {
	p := setup(b)
	views := map[string]web.View{"account": account()}
	for _, v := range filled("x") {
		views[strings.TrimPrefix(fmt.Sprintf("%T", v), "web.")] = v
	}
	for name, v := range views {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept-Language", "de-AT,de;q=0.9,en;q=0.8")
			before := cpu(b)
			for b.Loop() {
				if err := p.Render(discard{http.Header{}}, r, 200, v); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is what the process has used of the processor, which other work on the machine does not change.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
