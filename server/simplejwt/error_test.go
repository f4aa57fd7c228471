package simplejwt_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/server/internal/metrics"
	"latchkey/server/internal/pyjson"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/route"
	"latchkey/server/simplejwt"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/token"
	"latchkey/storage"
)

// fakeTokens answers every call with the same error, or with tokens.
type fakeTokens struct {
	err  error
	last *token.Request
}

func (f *fakeTokens) Fields(*token.Response) []pyjson.Member { return nil }

func (f *fakeTokens) Exchange(_ context.Context, req *token.Request) (*token.Response, error) {
	f.last = req
	if f.err != nil {
		return nil, f.err
	}
	return &token.Response{AccessToken: "access-token", RefreshToken: "refresh-token"}, nil
}

func (f *fakeTokens) ExchangeSliding(ctx context.Context, req *token.Request) (*token.Response, error) {
	return f.Exchange(ctx, req)
}
func (f *fakeTokens) Verify(context.Context, storage.Secret) error    { return f.err }
func (f *fakeTokens) Blacklist(context.Context, storage.Secret) error { return f.err }

func routes(tokens simplejwt.Tokens, compat codec.Compat) http.Handler {
	return routesWith(simplejwt.Config{Tokens: tokens, Compat: compat})
}

func routesWith(c simplejwt.Config) http.Handler {
	rt := route.New(route.Config{
		Logger: slog.New(slog.DiscardHandler), Metrics: metrics.New(), Now: time.Now,
		AllowOrigin: func(_ context.Context, origin string) bool { return origin == "https://spa.example" },
	})
	simplejwt.New(c).Register(rt)
	return rt
}

func postJSON(h http.Handler, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func refusal(reason reasons.Reason) *protocol.Error {
	return &protocol.Error{Code: "invalid_grant", Status: http.StatusBadRequest, Reason: reason}
}

const (
	blacklisted = `{"detail":"Token is blacklisted","code":"token_not_valid"}`
	noAccount   = `{"detail":"No active account found for the given token."}`
	outage      = `{"detail":"Service temporarily unavailable, try again later."}`
	forbidden   = `{"detail":"You do not have permission to perform this action."}`
)

// TestRefusalsHaveTheWordsOfTheRelease: what each reason is called, on the four routes.
func TestRefusalsHaveTheWordsOfTheRelease(t *testing.T) {
	t.Parallel()
	invalid := map[codec.Compat]string{
		codec.Compat52: `{"detail":"Token is invalid or expired","code":"token_not_valid"}`,
		codec.Compat55: `{"detail":"Token is invalid","code":"token_not_valid"}`,
	}
	expired := map[codec.Compat]string{
		codec.Compat52: invalid[codec.Compat52],
		codec.Compat55: `{"detail":"Token is expired","code":"token_not_valid"}`,
	}
	same := func(body string) map[codec.Compat]string {
		return map[codec.Compat]string{codec.Compat52: body, codec.Compat55: body}
	}
	const notVerified = `{"non_field_errors":["Token is blacklisted"]}`
	for _, test := range []struct {
		err               error
		status            int
		body              map[codec.Compat]string // on refresh
		verify, blacklist string                  // where they differ
	}{
		{refusal(reasons.Retired), 401, same(blacklisted), "400 " + notVerified, ""},
		{refusal(reasons.Superseded), 401, same(blacklisted), "400 " + notVerified, ""},
		{refusal(reasons.SessionRevoked), 401, same(blacklisted), "400 " + notVerified, ""},
		{refusal(reasons.ClientSessions), 401, same(blacklisted), "400 " + notVerified, ""},
		{refusal(reasons.UserSessions), 401, same(blacklisted), "400 " + notVerified, "200 {}"},
		{refusal(reasons.UserInactive), 401, same(noAccount), "400 " + notVerified, "200 {}"},
		{refusal(reasons.UserRemoved), 401, same(noAccount), "400 " + notVerified, "200 {}"},
		{refusal(reasons.Expired), 401, expired, "400 " + notVerified, ""},
		{refusal(reasons.SessionExpired), 401, expired, "400 " + notVerified, ""},
		{refusal(reasons.SessionIdle), 401, expired, "400 " + notVerified, ""},
		{refusal(reasons.UnknownGrant), 401, invalid, "400 " + notVerified, ""},
		{refusal(reasons.OtherClient), 401, invalid, "400 " + notVerified, ""},
		{refusal(reasons.BadSignature), 401, invalid, "400 " + notVerified, ""},
		{&protocol.Error{Code: "invalid_client", Status: 401, Reason: reasons.Client}, 403, same(forbidden), "400 " + notVerified, ""},
		{refusal(reasons.ClientDisabled), 403, same(forbidden), "400 " + notVerified, ""},
		{&protocol.Error{Code: "unauthorized_client", Status: 400, Reason: reasons.BadRequest}, 403, same(forbidden), "400 " + notVerified, ""},
		{fmt.Errorf("x: %w", storage.ErrUnavailable), 503, same(outage), "503 " + outage, ""},
		{&protocol.Error{Status: 503, Reason: reasons.Overload, RetryAfter: time.Second}, 503, same(outage), "503 " + outage, ""},
		{io.ErrUnexpectedEOF, 500, same(`{"detail":"A server error occurred."}`), `500 {"detail":"A server error occurred."}`, ""},
	} {
		for compat, body := range test.body {
			h := routes(&fakeTokens{err: test.err}, compat)
			want := fmt.Sprint(test.status, " ", body)
			check := func(path, field, want string) {
				t.Helper()
				w := postJSON(h, path, `{"`+field+`":"x"}`)
				if got := fmt.Sprint(w.Code, " ", w.Body); got != want {
					t.Errorf("%v at %s (%s): %s, want %s", test.err, path, compat, got, want)
				}
				if reason := string(protocol.AsError(test.err).Reason.Public()); w.Code >= 400 && w.Header().Get(simplejwt.ReasonHeader) != reason {
					t.Errorf("%v at %s: reason %q", test.err, path, w.Header().Get(simplejwt.ReasonHeader))
				}
				if authenticate := w.Header().Get("WWW-Authenticate"); (authenticate == `Bearer realm="api"`) != (w.Code == 401) {
					t.Errorf("%v at %s: %d with WWW-Authenticate %q", test.err, path, w.Code, authenticate)
				}
				if (w.Header().Get("Retry-After") != "") != (w.Code == 503) {
					t.Errorf("%v at %s: %d with Retry-After %q", test.err, path, w.Code, w.Header().Get("Retry-After"))
				}
			}
			check(simplejwt.RefreshPath, "refresh", want)
			check(simplejwt.VerifyPath, "token", test.verify)
			if test.blacklist != "" {
				check(simplejwt.BlacklistPath, "refresh", test.blacklist)
			} else {
				check(simplejwt.BlacklistPath, "refresh", want)
			}
		}
	}
}

func TestLoginIsRefusedInTheSameWordsForEveryReason(t *testing.T) {
	t.Parallel()
	h := routes(&fakeTokens{err: refusal(reasons.Credentials)}, codec.Compat52)
	w := postJSON(h, simplejwt.ObtainPath, `{"username":"a","password":"b"}`)
	if w.Code != 401 || w.Body.String() != `{"detail":"No active account found with the given credentials"}` ||
		w.Header().Get(simplejwt.ReasonHeader) != "bad_credentials" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
	throttled := refusal(reasons.Throttled)
	throttled.RetryAfter = 90 * time.Second
	w = postJSON(routes(&fakeTokens{err: throttled}, codec.Compat52), simplejwt.ObtainPath, `{"username":"a","password":"b"}`)
	if w.Code != 429 || w.Body.String() != `{"detail":"Request was throttled. Expected available in 90 seconds."}` || w.Header().Get("Retry-After") != "90" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
}

func TestBodiesBecomeTokenRequests(t *testing.T) {
	t.Parallel()
	tokens := &fakeTokens{}
	h := routes(tokens, codec.Compat52)
	w := postJSON(h, simplejwt.ObtainPath, `{"username":" alice ","password":" pass word "}`)
	if w.Body.String() != `{"refresh":"refresh-token","access":"access-token"}` {
		t.Error(w.Body)
	}
	if r := tokens.last; r.GrantType != "password" || r.Username != "alice" ||
		r.Password.Reveal() != "pass word" || !r.KeepLastLogin {
		t.Errorf("%+v", r)
	}
	w = postJSON(h, simplejwt.RefreshPath, `{"refresh":"tok"}`)
	if w.Body.String() != `{"access":"access-token","refresh":"refresh-token"}` {
		t.Error(w.Body)
	}
	if r := tokens.last; r.GrantType != "refresh_token" || r.RefreshToken.Reveal() != "tok" {
		t.Errorf("%+v", r)
	}
}

// TestPagesReadWhyTheyWereRefused: a page of an allowed origin sees the reason and the request id.
func TestPagesReadWhyTheyWereRefused(t *testing.T) {
	t.Parallel()
	h := routes(&fakeTokens{err: refusal(reasons.Retired)}, codec.Compat52)
	w := postJSON(h, simplejwt.RefreshPath, `{"refresh":"x"}`, "Origin", "https://spa.example")
	exposed := w.Header().Get("Access-Control-Expose-Headers")
	for _, name := range []string{simplejwt.ReasonHeader, "X-Request-Id"} {
		if !strings.Contains(exposed, name) || w.Header().Get(name) == "" {
			t.Errorf("%s: exposed are %q", name, exposed)
		}
	}
	w = postJSON(h, simplejwt.RefreshPath, `{"refresh":"x"}`, "Origin", "https://evil.example")
	if w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("a stranger's page may read the answer")
	}
}

func TestThePathWithoutItsSlash(t *testing.T) {
	t.Parallel()
	h := routes(&fakeTokens{}, codec.Compat52)
	if w := postJSON(h, "/api/token/refresh", `{"refresh":"x"}`); w.Code != 200 {
		t.Errorf("POST: %d %s", w.Code, w.Body)
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/api/token/refresh?a=b%20c", nil))
		if w.Code != 301 || w.Header().Get("Location") != "/api/token/refresh/?a=b%20c" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
	// Behind a proxy that leaves the issuer's path on.
	prefixed := http.StripPrefix("/auth", h)
	w := httptest.NewRecorder()
	prefixed.ServeHTTP(w, httptest.NewRequest("GET", "/auth/api/token", nil))
	if got := w.Header().Get("Location"); got != "/auth/api/token/" {
		t.Errorf("Location %q", got)
	}
}
