package clienttest

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"latchkey/latchkeytest/form"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// browser is a person's: it signs in and allows whatever pages ask for. It keeps its cookies by itself, since jars do not send
// Secure cookies over http, which browsers do for this machine.
type browser struct {
	cookies map[string]map[string]string
	// shown are the pages that the person saw, by path.
	shown []string
	// decision is what the person answers on the consent page.
	decision string
}

func newBrowser() *browser {
	return &browser{cookies: map[string]map[string]string{}, decision: "allow"}
}

// visit goes where links and forms lead, until a page has nothing to fill in, or until it is sent to an address that begins
// with until, where it does not go. It gives the address, and the text of the page if there was one.
func (b *browser) visit(t *testing.T, address, until string) (at *url.URL, text string) {
	t.Helper()
	request := form.Request(t, http.MethodGet, address, nil)
	for range 12 {
		answer, body := b.send(t, request)
		if location := answer.Header.Get("Location"); location != "" {
			to := form.Resolve(t, request.URL, location)
			if until != "" && strings.HasPrefix(to.String(), until) {
				return to, ""
			}
			request = form.Request(t, http.MethodGet, to.String(), nil)
			continue
		}
		b.shown = append(b.shown, request.URL.Path)
		next := b.fillIn(t, request.URL, body)
		if next == nil {
			if until != "" {
				t.Fatalf("%s %s answered %d, and leads no further:\n%s", request.Method, request.URL, answer.StatusCode, body)
			}
			return request.URL, body
		}
		request = next
	}
	t.Fatalf("%s leads nowhere; the pages on the way: %q", address, b.shown)
	return nil, ""
}

// send sends a request with the cookies of its host and keeps those of the answer.
func (b *browser) send(t *testing.T, request *http.Request) (*http.Response, string) {
	t.Helper()
	jar := b.cookies[request.URL.Hostname()]
	for name, value := range jar {
		// Not AddCookie, which would quote.
		request.Header.Add("Cookie", name+"="+value)
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if jar == nil {
		jar = map[string]string{}
		b.cookies[request.URL.Hostname()] = jar
	}
	for _, c := range answer.Cookies() {
		if c.MaxAge < 0 {
			delete(jar, c.Name)
			continue
		}
		jar[c.Name] = c.Value
	}
	return answer, string(body)
}

// fillIn answers the form of a login, consent or logout page; nil when there is none.
func (b *browser) fillIn(t *testing.T, at *url.URL, page string) *http.Request {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for element := range doc.Descendants() {
		if element.DataAtom != atom.Form {
			continue
		}
		values, names := form.Fields(element)
		switch {
		case slices.Contains(names, "password"):
			values.Set("username", username)
			values.Set("password", password)
		case slices.Contains(names, "decision"):
			values.Set("decision", b.decision)
		case slices.Contains(names, "user_code"):
			values.Set("user_code", at.Query().Get("user_code"))
		default:
			continue
		}
		return form.Submit(t, at, element, values)
	}
	return nil
}
