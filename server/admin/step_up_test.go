package admin_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/admin"
	"latchkey/server/claims"
	"latchkey/server/servertest"
	"latchkey/server/session"
	"latchkey/storage"
)

const operators = "operators"

// person adds a client with which people use the API, and lets alice use it.
func person(t *testing.T) (*bundle, servertest.Client) {
	t.Helper()
	b := setup(t, servertest.Configure(func(c *server.Config) { c.AdminGroup = operators }))
	groups := []string{operators}
	if _, err := b.Users().Update(t.Context(), servertest.UserID, storage.UserChange{Groups: &groups}); err != nil {
		t.Fatal(err)
	}
	return b, b.AddClient(clients.Registration{ID: "tool", Metadata: clients.Metadata{
		RedirectURIs: []string{servertest.Callback}, GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: allScopes(),
	}})
}

// as sends a request with another token.
func as(token string) servertest.Edit { return servertest.Header("Authorization", "Bearer "+token) }

// RFC 9470 §3: a person whose login is older than ten minutes, or was weaker than it could be, reads and ends sessions but changes nothing.
// A refresh doesn't help. The challenge says what the authorization request has to ask for.
func TestAChangeByAPersonNeedsARecentLogin(t *testing.T) {
	t.Parallel()
	b, tool := person(t)
	br := b.Browser()
	login := func(more ...string) *servertest.Answer {
		t.Helper()
		more = append([]string{"resource", admin.Resource(b.URL), "scope", allScopes()}, more...)
		return b.Redeem(tool, br.Code(tool, more...), "resource", admin.Resource(b.URL)).Expect(http.StatusOK)
	}
	answer := login()
	change := func(token string) *servertest.Answer {
		return b.call(http.MethodPatch, "/users/"+strconv.Itoa(servertest.UserID), `{"name":"Alice"}`, anyway, as(token))
	}
	change(answer.String("access_token")).Expect(http.StatusOK)
	maxAge := `max_age="` + strconv.Itoa(int(session.ConfirmedFor/time.Second)) + `"`
	refused := func(a *servertest.Answer, wants ...string) {
		t.Helper()
		p := b.problem(a, http.StatusUnauthorized)
		challenge := strings.Join(a.Header.Values("WWW-Authenticate"), "\n")
		for _, want := range append(wants, `Bearer realm="latchkey", error="insufficient_user_authentication"`, maxAge) {
			if !strings.Contains(challenge, want) {
				t.Errorf("the challenge has no %s:\n%s", want, challenge)
			}
		}
		if p["type"] != "urn:latchkey:problem:insufficient_user_authentication" {
			t.Errorf("the type is %v", p["type"])
		}
	}
	b.Clock.Advance(session.ConfirmedFor + time.Second)
	old := b.Refresh(tool, answer.String("refresh_token")).Expect(http.StatusOK).String("access_token")
	refused(change(old))
	refused(b.call(http.MethodPost, "/keys/rotate", `{}`, as(old)))
	refused(b.call(http.MethodDelete, "/clients/tool", "", anyway, as(old)))
	b.call(http.MethodGet, "/users", "", as(old)).Expect(http.StatusOK)
	b.call(http.MethodPost, "/sessions/end", `{"client_id":"backend"}`, as(old)).Expect(http.StatusOK)
	// A client of client_credentials has no login.
	change(b.token).Expect(http.StatusOK)

	change(login("max_age", "600").String("access_token")).Expect(http.StatusOK)

	// The same login is too weak once there is a second factor.
	weak := login().String("access_token")
	if err := b.Store.CreateFactors(t.Context(), storage.NewFactors{UserID: servertest.UserID, Limit: 1, Factors: []*storage.Factor{{
		ID: storage.NewID(b.Clock.Now()), UserID: servertest.UserID, Kind: storage.FactorTOTP, Name: "Phone", CreatedAt: b.Clock.Now(),
	}}}, nil); err != nil {
		t.Fatal(err)
	}
	refused(change(weak), `acr_values="`+claims.ACRMultiFactor+`"`)
	b.call(http.MethodGet, "/users", "", as(weak)).Expect(http.StatusOK)
}
