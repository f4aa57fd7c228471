package applicationtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"testing"

	"latchkey/latchkeytest/form"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// person is a browser and who sits before it: it follows links, fills in forms and allows what it is asked for.
type person struct {
	client *http.Client
	// shown are the pages that the person saw, by path.
	shown []string
	// decision is what the person answers on the consent page.
	decision string
}

func newPerson(t *testing.T) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &person{client: &http.Client{Jar: jar, Timeout: patience, CheckRedirect: stay}, decision: "allow"}
}

// page is what an address answered.
type page struct {
	*http.Response
	body string
}

func (p *page) String() string {
	return fmt.Sprintf("%s: %s\n%s", p.Request.URL, p.Status, text(p.body))
}

// visit goes where redirects and forms lead, until a page has nothing to fill in.
func (p *person) visit(t *testing.T, address string) *page {
	t.Helper()
	request := form.Request(t, http.MethodGet, address, nil)
	var way []string
	for range 20 {
		way = append(way, request.Method+" "+request.URL.String())
		answer := p.send(t, request)
		if location := answer.Header.Get("Location"); location != "" && answer.StatusCode/100 == 3 {
			request = form.Request(t, http.MethodGet, form.Resolve(t, request.URL, location).String(), nil)
			continue
		}
		p.shown = append(p.shown, request.URL.Path)
		next := p.fillIn(t, answer)
		if next == nil {
			return answer
		}
		request = next
	}
	t.Fatalf("the way has no end:\n%s", strings.Join(way, "\n"))
	return nil
}

// get asks for one address, and follows nothing.
func (p *person) get(t *testing.T, address string) *page {
	t.Helper()
	return p.send(t, form.Request(t, http.MethodGet, address, nil))
}

func (p *person) send(t *testing.T, request *http.Request) *page {
	t.Helper()
	answer, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &page{answer, string(body)}
}

// fillIn answers the form of a page: Latchkey's, or an application's that asks for no more than a click. nil when there is none.
func (p *person) fillIn(t *testing.T, page *page) *http.Request {
	t.Helper()
	at := page.Request.URL
	// The sign-in page of Auth.js again, with what went wrong.
	if at.Query().Has("error") {
		return nil
	}
	doc, err := html.Parse(strings.NewReader(page.body))
	if err != nil {
		t.Fatal(err)
	}
	for element := range doc.Descendants() {
		if element.DataAtom != atom.Form {
			continue
		}
		values, names := form.Fields(element)
		has := func(name string) bool { return slices.Contains(names, name) }
		switch {
		case has("password"):
			values.Set("username", username)
			values.Set("password", password)
		case has("decision"):
			values.Set("decision", p.decide(element))
		case has("csrfToken"), has("csrfmiddlewaretoken"), has("state") && (has("code") || has("error")): // a click; response_mode=form_post
		default:
			continue
		}
		return form.Submit(t, at, element, values)
	}
	return nil
}

// decide returns the value of the button that the person presses: the first one, on a page that asks something else than consent.
func (p *person) decide(element *html.Node) string {
	var offered []string
	for n := range element.Descendants() {
		if form.Attribute(n, "name") == "decision" {
			offered = append(offered, form.Attribute(n, "value"))
		}
	}
	if slices.Contains(offered, p.decision) {
		return p.decision
	}
	return offered[0]
}

// text is what a page says, without its markup.
func text(page string) string {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return page
	}
	var words []string
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.DataAtom != atom.Style && n.Parent.DataAtom != atom.Script {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}
