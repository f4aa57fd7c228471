package servertest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// Answer is what the server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   string

	t testing.TB
}

// Edit changes a request before it is sent.
type Edit func(*http.Request)

// Header sets a header.
func Header(name, value string) Edit { return func(r *http.Request) { r.Header.Set(name, value) } }

// Basic authenticates the client by client_secret_basic (RFC 6749 §2.3.1).
func (c Client) Basic() Edit {
	return func(r *http.Request) {
		r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret.Reveal()))
	}
}

// Form makes parameters of names and values that follow each other.
func Form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

// PostForm posts parameters.
func (s *Server) PostForm(path string, form url.Values, edits ...Edit) *Answer {
	s.t.Helper()
	edits = append([]Edit{Header("Content-Type", "application/x-www-form-urlencoded")}, edits...)
	return s.Do("POST", path, form.Encode(), edits...)
}

// PostJSON posts a value.
func (s *Server) PostJSON(path string, v any, edits ...Edit) *Answer {
	s.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	edits = append([]Edit{Header("Content-Type", "application/json")}, edits...)
	return s.Do("POST", path, string(body), edits...)
}

// Get gets a path, or a whole URL such as one below s.Admin.
func (s *Server) Get(path string, edits ...Edit) *Answer {
	s.t.Helper()
	return s.Do("GET", path, "", edits...)
}

// Do sends a request. It may be called from any goroutine; where the server can't be reached it ends the test.
func (s *Server) Do(method, path, body string, edits ...Edit) *Answer {
	s.t.Helper()
	if !strings.Contains(path, "://") {
		path = s.URL + path
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, edit := range edits {
		edit(r)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
		return &Answer{t: s.t, Header: http.Header{}}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Errorf("%s %s: read answer: %v", method, path, err)
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(answer), t: s.t}
}

// Expect checks the status and gives the answer back.
func (a *Answer) Expect(status int) *Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Errorf("status %d, want %d; the body is %s", a.Status, status, a.Body)
	}
	return a
}

// ExpectError checks the status and the error code of RFC 6749 §5.2.
func (a *Answer) ExpectError(status int, code string) *Answer {
	a.t.Helper()
	a.Expect(status)
	if got := a.JSON()["error"]; got != code {
		a.t.Errorf("error %v, want %s; the body is %s", got, code, a.Body)
	}
	return a
}

// ExpectBody checks the body as JSON: both must mean the same.
func (a *Answer) ExpectBody(want string) *Answer {
	a.t.Helper()
	var got, wanted any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		a.t.Fatalf("%s is no JSON: %v", want, err)
	}
	if err := json.Unmarshal([]byte(a.Body), &got); err != nil || !reflect.DeepEqual(got, wanted) {
		a.t.Errorf("the body is %s, want %s", a.Body, want)
	}
	return a
}

// JSON gives the members of the body; an empty map when it is no object.
func (a *Answer) JSON() map[string]any {
	a.t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal([]byte(a.Body), &members); err != nil {
		a.t.Errorf("the body %q is no JSON object: %v", a.Body, err)
	}
	return members
}

// String gives a member of the body that is a text; empty when there is none.
func (a *Answer) String(name string) string {
	a.t.Helper()
	s, _ := a.JSON()[name].(string)
	return s
}
