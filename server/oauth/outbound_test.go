package oauth_test

import (
	"net/netip"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/clients/document"
	"latchkey/latchkeytest/canary"
	"latchkey/latchkeytest/eventually"
	"latchkey/server"
	"latchkey/server/internal/safehttp"
	"latchkey/server/servertest"
)

// Statements 17 and 59: no URL that a stranger has given leads into the network of the server, not even into what the operator has opened for the
// operator's own clients; a request_uri and what only people follow lead nowhere.
func TestStatement59NoURLOfAStrangerLeadsInside(t *testing.T) {
	t.Parallel()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for name, c := range map[string]struct {
		open    func(*safehttp.Config)
		found   bool
		timeout time.Duration // a failure is told when it is over
	}{
		"as it is": {func(*safehttp.Config) {}, false, 300 * time.Millisecond},
		// The same with an opening for tests: each of these URLs would have led to the canary.
		"opened": {func(o *safehttp.Config) { o.TestAllow = loopback }, true, 2 * time.Second}, // enough to connect on a busy machine
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := registering(t, "open", servertest.Configure(func(cfg *server.Config) {
				cfg.ClientDocuments = document.Policy{Open: true}
				cfg.OutboundAllow = loopback
				cfg.Outbound = func(o *safehttp.Config) {
					o.Timeout = c.timeout
					c.open(o)
				}
			}))
			for _, host := range []string{"127.0.0.1", "localhost"} {
				led := func(what string, want bool, follow func(url string)) {
					t.Helper()
					l := canary.New(t)
					follow("https://" + host + ":" + l.Port + "/x")
					if want {
						eventually.True(t, what+" at "+host, func() bool { return l.Hits() > 0 })
					} else if n := l.Hits(); n != 0 {
						t.Errorf("%s at %s: %d connections", what, host, n)
					}
				}
				led("jwks_uri", c.found, func(url string) {
					a := s.PostJSON(registerPath, app("client_name", url, "jwks_uri", url, "token_endpoint_auth_method", "private_key_jwt")).Expect(201)
					s.PostForm("/oauth2/token", servertest.Form(append(servertest.NewKey(t).Assertion(s, a.String("client_id")), "grant_type", "refresh_token", "refresh_token", "x")...)).
						ExpectError(401, "invalid_client")
				})
				led("logo_uri", c.found, func(url string) {
					a := s.PostJSON(registerPath, app("client_name", url, "logo_uri", url)).Expect(201)
					s.Get("/logo?client_id=" + a.String("client_id")).Expect(404)
				})
				led("a metadata document", c.found, func(url string) {
					s.Browser().Authorize(servertest.Client{ID: url, Redirect: servertest.Callback}).Expect(400)
				})
				led("request_uri", false, func(url string) {
					signer := s.AddClient(clients.Registration{Policy: clients.Policy{FirstParty: true}, Metadata: clients.Metadata{
						ClientName: url, GrantTypes: []string{"authorization_code"}, Scope: "openid", TokenEndpointAuthMethod: "private_key_jwt",
						RedirectURIs: []string{servertest.Callback}, JWKS: servertest.NewKey(t).Set(),
					}})
					refusal(t, s, s.Browser().Authorize(signer, "request_uri", url), "request_uri_not_supported")
				})
				led("what people follow", false, func(url string) {
					a := s.PostJSON(registerPath, app("client_name", url, "redirect_uris", []string{url}, "client_uri", url, "policy_uri", url, "tos_uri", url,
						"sector_identifier_uri", url, "initiate_login_uri", url, "request_uris", []string{url}, "post_logout_redirect_uris", []string{url})).Expect(201)
					b := s.Browser()
					b.SignIn()
					b.Authorize(servertest.Client{ID: a.String("client_id"), Redirect: url}, "scope", "openid").Through().Response(url)
				})
			}
		})
	}
}
