package servertest

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Browser is a browser without scripts: it keeps cookies, those for TLS too, follows redirects as long as they stay on the
// server, and sends the forms of pages with the headers that tell where they come from. It is for one goroutine at a time.
type Browser struct {
	// UserAgent is what it calls itself.
	UserAgent string
	// Languages are those of the person, as in Accept-Language; empty: it says nothing of them.
	Languages string
	// KeepsNoCookies is the setting of that name.
	KeepsNoCookies bool

	s       *Server
	cookies map[string]string
}

// Browser makes a browser without cookies.
func (s *Server) Browser() *Browser {
	return &Browser{UserAgent: "Mozilla/5.0 (servertest)", s: s, cookies: make(map[string]string)}
}

// Cookie gives the value of a cookie, or nothing.
func (b *Browser) Cookie(name string) string { return b.cookies[name] }

// Header gives the cookies as a Cookie header has them, for requests that are sent in another way.
func (b *Browser) Header() string {
	var pairs []string
	for name, value := range b.cookies {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "; ")
}

// SetCookie plants a cookie; an empty value removes it.
func (b *Browser) SetCookie(name, value string) {
	if value == "" {
		delete(b.cookies, name)
		return
	}
	b.cookies[name] = value
}

// Page is what a browser shows at the end of the redirects.
type Page struct {
	*Answer
	// URL is the page's own.
	URL string
	// Left is where the last redirect leads when that is another server (or another scheme); then nothing is shown.
	Left string
	// Hops are the statuses of the redirects on the way.
	Hops []int

	b *Browser
}

// Get goes to a path or URL, as if it were typed.
func (b *Browser) Get(path string) *Page {
	b.s.t.Helper()
	return b.visit("GET", path, "", Header("Sec-Fetch-Site", "none"))
}

// Follow goes to a path or URL, as if a page of another site led there.
func (b *Browser) Follow(path string) *Page {
	b.s.t.Helper()
	return b.visit("GET", path, "", Header("Sec-Fetch-Site", "cross-site"))
}

// Post sends fields as a form of a page of this server does, whether or not there is one.
func (b *Browser) Post(path string, fields ...string) *Page {
	b.s.t.Helper()
	return b.post(path, Form(fields...), "same-origin")
}

// PostForeign sends fields as a page of another site does.
func (b *Browser) PostForeign(path string, fields ...string) *Page {
	b.s.t.Helper()
	return b.post(path, Form(fields...), "cross-site")
}

func (b *Browser) post(path string, form url.Values, site string) *Page {
	b.s.t.Helper()
	return b.visit("POST", path, form.Encode(),
		Header("Content-Type", "application/x-www-form-urlencoded"), Header("Sec-Fetch-Site", site))
}

// maxHops is more than any way through the pages has.
const maxHops = 10

// visit sends a request and follows the redirects.
func (b *Browser) visit(method, path, body string, edits ...Edit) *Page {
	b.s.t.Helper()
	p := &Page{b: b, URL: b.absolute(b.s.URL+"/", path)}
	for range maxHops {
		p.Answer = b.do(method, p.URL, body, edits...)
		location := p.Header.Get("Location")
		if location == "" || p.Status < 300 || p.Status > 399 {
			return p
		}
		p.Hops = append(p.Hops, p.Status)
		if p.Status != http.StatusTemporaryRedirect && p.Status != http.StatusPermanentRedirect {
			method, body = "GET", ""
			edits = nil
		}
		next := b.absolute(p.URL, location)
		if next != b.s.URL && !strings.HasPrefix(next, b.s.URL+"/") {
			p.Left = next
			return p
		}
		p.URL = next
	}
	b.s.t.Errorf("%s: more than %d redirects", path, maxHops)
	return p
}

// absolute resolves a reference as browsers do.
func (b *Browser) absolute(base, reference string) string {
	b.s.t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		b.s.t.Fatalf("address %q: %v", base, err)
	}
	next, err := u.Parse(reference)
	if err != nil {
		b.s.t.Fatalf("address %q: %v", reference, err)
	}
	return next.String()
}

// do sends one request with the cookies and keeps those of the answer.
func (b *Browser) do(method, address, body string, edits ...Edit) *Answer {
	b.s.t.Helper()
	r, err := http.NewRequestWithContext(b.s.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		b.s.t.Fatal(err)
	}
	r.Header.Set("User-Agent", b.UserAgent)
	if b.Languages != "" {
		r.Header.Set("Accept-Language", b.Languages)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	for _, edit := range edits {
		edit(r)
	}
	resp, err := b.s.client.Do(r)
	if err != nil {
		b.s.t.Fatalf("%s %s: %v", method, address, err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		b.s.t.Fatalf("%s %s: read answer: %v", method, address, err)
	}
	for _, c := range resp.Cookies() {
		b.keep(c)
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(content), t: b.s.t}
}

// keep takes a cookie as RFC 6265bis §5.7 has it: one whose name begins with __Host- only with everything that goes with it.
func (b *Browser) keep(c *http.Cookie) {
	b.s.t.Helper()
	switch {
	case strings.HasPrefix(c.Name, "__Host-") && (!c.Secure || c.Path != "/" || c.Domain != ""):
		b.s.t.Errorf("a browser refuses the cookie %s", c.Raw)
	case c.MaxAge < 0:
		delete(b.cookies, c.Name)
	case !b.KeepsNoCookies:
		b.cookies[c.Name] = c.Value
	}
}

// PageForm is a form of a page.
type PageForm struct {
	// Action is the URL that it goes to.
	Action string
	// Fields are its values, as the page has filled them in.
	Fields url.Values
	// Buttons are the names and values of its buttons, in their order.
	Buttons [][2]string

	page *Page
}

// Form gives the first form whose action has this path. The test ends when there is none.
func (p *Page) Form(path string) *PageForm {
	p.t.Helper()
	for _, f := range p.Forms() {
		if u, err := url.Parse(f.Action); err == nil && u.Path == path {
			return f
		}
	}
	p.t.Fatalf("no form for %s on the page %s (%d): %s", path, p.URL, p.Status, p.Body)
	return nil
}

// FormWith gives the first form that has a field to type in. The test ends when there is none.
func (p *Page) FormWith(field string) *PageForm {
	p.t.Helper()
	for _, f := range p.Forms() {
		if f.Fields.Has(field) {
			return f
		}
	}
	p.t.Fatalf("no form with %s on the page %s (%d): %s", field, p.URL, p.Status, p.Body)
	return nil
}

// Has tells whether the page has a form for this path.
func (p *Page) Has(path string) bool {
	return slices.ContainsFunc(p.Forms(), func(f *PageForm) bool {
		u, err := url.Parse(f.Action)
		return err == nil && u.Path == path
	})
}

// Forms gives all forms.
func (p *Page) Forms() []*PageForm {
	p.t.Helper()
	doc, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		p.t.Fatalf("page %s: %v", p.URL, err)
	}
	var forms []*PageForm
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" && attribute(n, "method") == "post" {
			forms = append(forms, p.readForm(n))
		}
	}
	return forms
}

func (p *Page) readForm(form *html.Node) *PageForm {
	f := &PageForm{Action: p.b.absolute(p.URL, attribute(form, "action")), Fields: url.Values{}, page: p}
	for n := range form.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		name, kind := attribute(n, "name"), attribute(n, "type")
		switch {
		case n.Data == "button" && (kind == "" || kind == "submit"), n.Data == "input" && kind == "submit":
			f.Buttons = append(f.Buttons, [2]string{name, attribute(n, "value")})
		case n.Data != "input" || name == "" || kind == "checkbox" && !hasAttribute(n, "checked"):
		default:
			f.Fields.Add(name, attribute(n, "value"))
		}
	}
	return f
}

// Set fills fields in: names and values that follow each other.
func (f *PageForm) Set(pairs ...string) *PageForm {
	for i := 0; i < len(pairs); i += 2 {
		f.Fields.Set(pairs[i], pairs[i+1])
	}
	return f
}

// Submit presses the first button.
func (f *PageForm) Submit() *Page {
	f.page.t.Helper()
	if len(f.Buttons) == 0 {
		f.page.t.Fatalf("the form for %s has no button", f.Action)
	}
	return f.Press(f.Buttons[0][0], f.Buttons[0][1])
}

// Press presses the button of this name and value.
func (f *PageForm) Press(name, value string) *Page {
	f.page.t.Helper()
	if !slices.Contains(f.Buttons, [2]string{name, value}) {
		f.page.t.Fatalf("the form for %s has no button %s=%s: %v", f.Action, name, value, f.Buttons)
	}
	if name != "" {
		f.Fields.Set(name, value)
	}
	return f.page.b.post(f.Action, f.Fields, "same-origin")
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// SignIn signs the user of the server in at the login page.
func (b *Browser) SignIn() *Page {
	b.s.t.Helper()
	return b.SignInAs(Username, Password)
}

// SignInAs signs a user in at the login page.
func (b *Browser) SignInAs(username, password string) *Page {
	b.s.t.Helper()
	return b.Get("/login").Form("/login").Set("username", username, "password", password).Submit()
}
