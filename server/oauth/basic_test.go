package oauth_test

import (
	"net/http"
	"net/url"
	"testing"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// Row Q: many libraries leave out the encoding that RFC 6749 §2.3.1 has for Basic.
func TestRowQBasicWithoutEncoding(t *testing.T) {
	t.Parallel()
	var outage *servertest.Outage
	s := servertest.New(t, servertest.Configure(func(c *server.Config) {
		outage = servertest.NewOutage(c.Store)
		c.Store = outage
	}))
	raw := func(id string, secret storage.Secret) servertest.Edit {
		return func(r *http.Request) { r.SetBasicAuth(id, secret.Reveal()) }
	}
	ask := func(edit servertest.Edit, pairs ...string) *servertest.Answer {
		return s.PostForm("/oauth2/token", servertest.Form(append(pairs, "grant_type", "client_credentials")...), edit)
	}
	made := map[string]servertest.Client{}
	for _, id := range []string{"team:app", "a+b", "a b", "50%", "a%2Bb", "urn:x:y+z%20", "https://app.example/id", "https"} {
		made[id] = s.AddClient(clients.Registration{ID: id, Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}}})
	}
	for id, c := range made {
		access := ask(c.Basic()).Expect(200).String("access_token")
		ask(raw(id, c.Secret)).Expect(200)
		ask(raw(id, c.Secret), "client_id", id).Expect(200)
		if active := s.PostForm("/oauth2/introspect", servertest.Form("token", access), raw(id, c.Secret)).Expect(200).JSON()["active"]; active != true {
			t.Errorf("%s: introspection is another client's: %v", id, active)
		}
		ask(raw(id, c.Secret+"x")).ExpectError(401, "invalid_client")
		ask(raw(id, "")).ExpectError(401, "invalid_client")
		for other, o := range made { // the secret decides which reading is right
			want := 401
			if decoded, err := url.QueryUnescape(id); err == nil && decoded == other || id == other {
				want = 200
			}
			ask(raw(id, o.Secret)).Expect(want)
		}
	}
	ask(raw("a+b", made["a b"].Secret), "client_id", "a b").Expect(200)
	ask(raw("a+b", made["a b"].Secret), "client_id", "a+b").ExpectError(401, "invalid_client")
	ask(raw("a+b", made["a+b"].Secret), "client_id", "a b").ExpectError(401, "invalid_client")
	ask(raw("a+b", made["a+b"].Secret), "client_id", "web").ExpectError(400, "invalid_request")

	// An unknown client and a wrong secret get the same words.
	unknown, wrong := ask(raw("no+such", "x")), ask(raw("a+b", "x"))
	if unknown.Body != wrong.Body || unknown.Status != wrong.Status {
		t.Errorf("%d %s, %d %s", unknown.Status, unknown.Body, wrong.Status, wrong.Body)
	}

	// What can't be looked up is no refusal: the other reading may have been right.
	outage.Away(true)
	ask(raw("a+b", made["a+b"].Secret)).Expect(200)
	ask(raw("not+seen", "x")).ExpectError(503, "temporarily_unavailable")
	ask(raw("a+never:seen", "x")).ExpectError(503, "temporarily_unavailable")
}

// Row Q: however many readings there are, it is one attempt, counted for the client that it names.
func TestRowQOneAttempt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.AddClient(clients.Registration{ID: "a+b", Metadata: clients.Metadata{GrantTypes: []string{"client_credentials"}}})
	s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials"), func(r *http.Request) { r.SetBasicAuth("a+b", "x+y:z") }).
		ExpectError(401, "invalid_client")
	refused(t, s, "a+b", "client_authentication_failed")
	events, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Action: "client_refused", Limit: 10})
	if err != nil || len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
}
