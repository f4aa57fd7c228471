// Package form reads and sends the forms of pages, for tests that do what a person does in a browser.
package form

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Fields returns what a form would send if nothing were filled in, and the names of all its inputs and buttons.
func Fields(form *html.Node) (values url.Values, names []string) {
	values = url.Values{}
	for n := range form.Descendants() {
		name := Attribute(n, "name")
		if name == "" {
			continue
		}
		names = append(names, name)
		if n.DataAtom == atom.Input && Attribute(n, "type") == "hidden" {
			values.Add(name, Attribute(n, "value"))
		}
	}
	return values, names
}

// Attribute returns the value of an attribute; empty if the element does not have it.
func Attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Submit returns the request that sends a form of the page at an address.
func Submit(t testing.TB, at *url.URL, form *html.Node, values url.Values) *http.Request {
	t.Helper()
	return Request(t, http.MethodPost, Resolve(t, at, Attribute(form, "action")).String(), values)
}

// Request returns a request of a browser for a page; values are the fields of a form, or nil.
func Request(t testing.TB, method, address string, values url.Values) *http.Request {
	t.Helper()
	var body io.Reader
	if values != nil {
		body = strings.NewReader(values.Encode())
	}
	request, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html,application/json")
	if values != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", fmt.Sprintf("%s://%s", request.URL.Scheme, request.URL.Host))
	}
	return request
}

// Resolve returns the address that a link on the page at base leads to.
func Resolve(t testing.TB, base *url.URL, reference string) *url.URL {
	t.Helper()
	to, err := base.Parse(reference)
	if err != nil {
		t.Fatal(err)
	}
	return to
}
