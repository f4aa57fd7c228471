package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/clients"
	"latchkey/server/clientauth"
	"latchkey/server/servertest"
	"latchkey/storage"
)

// stranger has no account and no client but those that anyone can register.
type stranger struct {
	*servertest.Server
	t *testing.T
	// public, confidential and signing are clients that the stranger has registered; signing has the key.
	public, confidential, signing servertest.Client
	key                           *ecdsa.PrivateKey
	device                        servertest.Client
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	s := &stranger{Server: registering(t, "open"), t: t}
	var err error
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	register := func(pairs ...any) servertest.Client {
		a := s.PostJSON(registerPath, app(pairs...), from("192.0.2.200")).Expect(201).JSON()
		secret, _ := a["client_secret"].(string)
		return servertest.Client{ID: a["client_id"].(string), Secret: storage.Secret(secret), Redirect: "https://app.example/callback"}
	}
	s.public = register()
	s.confidential = register("token_endpoint_auth_method", "client_secret_basic", "grant_types", []string{"client_credentials"}, "redirect_uris", []string{})
	s.signing = register("token_endpoint_auth_method", "private_key_jwt", "grant_types", []string{"client_credentials"}, "redirect_uris", []string{},
		"jwks", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &s.key.PublicKey, KeyID: "1"}}})
	s.device = register("grant_types", []string{"urn:ietf:params:oauth:grant-type:device_code"}, "redirect_uris", []string{})
	return s
}

func (s *stranger) assertion(n int) string {
	p := &party{Server: s.Server, t: s.t, issuer: s.URL, key: s.key, kid: "1"}
	now := s.Clock.Now()
	return p.assert(jose.ES256, s.key, map[string]any{ // of a clock that is ahead, and for as long as may be said
		"iss": s.signing.ID, "sub": s.signing.ID, "jti": fmt.Sprint(n), "iat": now.Add(29 * time.Second).Unix(), "exp": now.Add(59 * time.Minute).Unix(),
	})
}

// Statements 27 and 76: an assertion counts for five minutes from its iat; without one it counts until its exp, and a stranger's can't then
// say more than five minutes: its jti would be a row for as long.
func TestStatement27AssertionsWithoutIat(t *testing.T) {
	t.Parallel()
	s := newStranger(t)
	p := &party{Server: s.Server, t: t, issuer: s.URL, key: s.key, kid: "1"}
	own := s.AddClient(clients.Registration{ID: "own", Metadata: clients.Metadata{
		GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "private_key_jwt", JWKS: clientNow(t, s.Server, s.signing.ID).JWKS,
	}})
	ask := func(c servertest.Client, life time.Duration, more ...any) *servertest.Answer {
		members := map[string]any{"iss": c.ID, "sub": c.ID, "exp": s.Clock.Now().Add(life).Unix()}
		for i := 0; i < len(more); i += 2 {
			members[more[i].(string)] = more[i+1]
		}
		return p.post("/oauth2/token", "grant_type", "client_credentials", "client_assertion", p.assert(jose.ES256, s.key, members))
	}
	ask(s.signing, 5*time.Minute).Expect(200)
	ask(s.signing, time.Hour, "iat", s.Clock.Now().Unix()).Expect(200)
	a := ask(s.signing, 10*time.Minute).ExpectError(401, "invalid_client")
	if text := a.String("error_description"); !strings.Contains(text, "iat") || !strings.Contains(text, "300 seconds") {
		t.Errorf("the refusal says %q", text)
	}
	ask(own, time.Hour).Expect(200)
}

// A10: what strangers can leave in each table, at once and for how long: docs/security.md has the same numbers. The flood comes from one /48
// of IPv6, from another /64 each time, in one second by the server's clock; everything of it is gone at the end of its time.
func TestA10RowsOfStrangers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attempts, limit int
		life            time.Duration
		try             func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer
		rows            func(m storage.Maintenance) int64
		refused         int
	}{
		"used_jtis, by assertions": {
			260, 200, 7 * time.Minute,
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				return s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials",
					"client_assertion_type", clientauth.AssertionType, "client_assertion", s.assertion(i)), edits...)
			},
			func(m storage.Maintenance) int64 { return m.UsedJTIs },
			429,
		},
		"used_jtis, by proofs": {
			260, 200, 7 * time.Minute,
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				proof := servertest.NewKey(s.t).DPoP(s.Server)
				return s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials"), append(edits, s.confidential.Basic(), proof)...)
			},
			func(m storage.Maintenance) int64 { return m.UsedJTIs },
			429,
		},
		"used_jtis, by proofs with tokens that are none": {
			50, 0, 7 * time.Minute,
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				proof := servertest.NewKey(s.t).DPoP(s.Server)
				return s.PostForm("/oauth2/token", servertest.Form("grant_type", "refresh_token", "refresh_token", "lk_rt_x", "client_id", s.public.ID), append(edits, proof)...)
			},
			func(m storage.Maintenance) int64 { return m.UsedJTIs },
			400,
		},
		"revoked_tokens": {
			260, 200, 16 * time.Minute,
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				a := s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials"), append(edits, s.confidential.Basic())...).Expect(200)
				return s.PostForm("/oauth2/revoke", servertest.Form("token", a.String("access_token")), append(edits, s.confidential.Basic())...)
			},
			func(m storage.Maintenance) int64 { return m.RevokedTokens },
			429,
		},
		"pushed_requests": {
			300, 240, 63 * time.Minute,
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				return s.PostForm("/oauth2/par", s.public.AuthorizeParams(), edits...)
			},
			func(m storage.Maintenance) int64 { return m.PushedRequests },
			429,
		},
		"device_codes": {
			300, 240, 71 * time.Minute,
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				return s.PostForm("/oauth2/device_authorization", servertest.Form("client_id", s.device.ID), edits...)
			},
			func(m storage.Maintenance) int64 { return m.DeviceCodes },
			429,
		},
		"clients": {
			30, 20 - 4, 8 * 24 * time.Hour, // four are there
			func(s *stranger, i int, _ ...servertest.Edit) *servertest.Answer {
				return s.PostJSON(registerPath, app("client_name", fmt.Sprint(i)), from("192.0.2.200"))
			},
			func(m storage.Maintenance) int64 { return m.Clients - 4 },
			429,
		},
		// A guess takes from five buckets at most, and one that was full is full again within 36 s.
		"throttles": {
			450, 5 * 400, 61 * time.Minute, // registration counts by the hour
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				return s.PostJSON("/api/token/", map[string]string{"username": fmt.Sprint("user", i), "password": "wrong"}, edits...)
			},
			func(m storage.Maintenance) int64 { return m.Throttles },
			429,
		},
		"browser_sessions": {
			50, 0, 31 * 24 * time.Hour,
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				form := servertest.Form("username", servertest.Username, "password", "wrong", "remember", "on")
				return s.PostForm("/login", form, append(edits, servertest.Header("Sec-Fetch-Site", "same-origin"))...)
			},
			func(m storage.Maintenance) int64 { return m.BrowserSessions },
			401,
		},
		"logout_notices": {
			50, 0, 25 * time.Hour,
			func(s *stranger, i int, edits ...servertest.Edit) *servertest.Answer {
				form := servertest.Form("client_id", s.public.ID, "logout_hint", servertest.Username)
				return s.PostForm("/oauth2/logout", form, append(edits, servertest.Header("Sec-Fetch-Site", "same-origin"))...)
			},
			func(m storage.Maintenance) int64 { return m.LogoutNotices },
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStranger(t)
			statuses := map[int]int{}
			for i := range c.attempts {
				s.Clock.Advance(time.Second / time.Duration(c.attempts))
				a := c.try(s, i, from(fmt.Sprintf("2001:db8:0:%x::1", i)))
				if statuses[a.Status]++; a.Status == 429 && a.Header.Get("Retry-After") == "" {
					t.Fatal("429 without Retry-After")
				}
			}
			count := func(after time.Duration) (rows int64) {
				for more := true; more; {
					m, err := s.Store.Maintain(t.Context(), s.Clock.Now().Add(after), 1000)
					if err != nil {
						t.Fatal(err)
					}
					rows, more = rows+c.rows(m), m.More
				}
				return rows
			}
			early := count(-time.Hour)
			rows := count(c.life)
			later := count(10 * 365 * 24 * time.Hour)
			if name == "clients" {
				early, later = 0, 0 // count subtracts the four each time
			}
			t.Logf("%d attempts: %v; %d rows, of which %d stay longer than %v", c.attempts, statuses, rows, later, c.life)
			// A second's worth comes on top of what may be had at once; 40 are a tenth more than the quickest of these limits.
			if rows > int64(c.limit)+min(int64(c.limit), 40) || early != 0 || later != 0 {
				t.Errorf("%d rows (%d early, %d later), want at most %d", rows, early, later, c.limit)
			}
			if rows < int64(c.limit)*2/5 {
				t.Errorf("%d rows: the limit is %d", rows, c.limit)
			}
			if c.refused != 0 && statuses[c.refused] == 0 {
				t.Errorf("none was refused with %d", c.refused)
			}
		})
	}
}

// A10: what is recorded of refused requests, by everything that a stranger can do, from one network in an hour.
func TestA10AuditEventsOfStrangers(t *testing.T) {
	t.Parallel()
	s := newStranger(t)
	before, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	dead := s.Login(s.SPA).Refresh // somebody else's, seen by the stranger
	s.Revoke(s.SPA, dead).Expect(200)
	const requests = 400
	for i := range requests {
		s.Clock.Advance(time.Hour / requests)
		edit := from(fmt.Sprintf("2001:db8:0:%x::1", i))
		s.PostForm("/oauth2/token", servertest.Form("grant_type", "refresh_token", "refresh_token", dead, "client_id", s.public.ID), edit)
		s.PostForm("/oauth2/token", servertest.Form("grant_type", "refresh_token", "refresh_token", dead, "client_id", s.SPA.ID), edit)
		s.PostForm("/oauth2/token", servertest.Form("grant_type", "client_credentials", "client_id", s.Backend.ID, "client_secret", "x"), edit)
		s.PostForm("/oauth2/revoke", servertest.Form("token", dead, "client_id", s.public.ID), edit)
		s.Get("/oauth2/authorize?client_id="+s.Web.ID+"&redirect_uri=https%3A%2F%2Fevil.example", edit)
		s.Get(registerPath+"/"+s.public.ID, bearer("lk_rat_x"), edit)
		s.PostJSON("/api/token/", map[string]string{"username": fmt.Sprint("user", i%50), "password": "wrong"}, edit)
	}
	after, err := s.Store.ListAudit(t.Context(), storage.AuditFilter{Limit: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, e := range after[:len(after)-len(before)] {
		kinds[e.Action]++
	}
	t.Logf("%d requests of each kind: %v", requests, kinds)
	for action, n := range kinds {
		// Of one network a hundred at once and, of failed logins, one every ten seconds; of one client 20 and one every five minutes.
		if limit := map[bool]int{true: 100 + 360, false: 3*(20+12) + 1}[action == "login_failed"]; n > limit {
			t.Errorf("%s: %d events, want at most %d", action, n, limit)
		}
	}
}
