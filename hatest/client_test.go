package hatest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	userName     = "alice"
	userPassword = "wonderland-7"
	// pause is between the requests of a client.
	pause = 80 * time.Millisecond
)

// policies are the clients: those of the RFCs' routes are named after their policy.
var policies = []string{"confirmed", "strict", "off", "simplejwt"}

// traffic is what all clients do together.
type traffic struct {
	tally
	s     *service
	ctx   context.Context
	wg    sync.WaitGroup
	count int

	ended struct {
		sync.Mutex
		all []endedToken
	}
}

type endedToken struct {
	policy, token string
	at            time.Time
}

// client is one client with one session.
type client struct {
	*traffic
	name, policy string
	user         string // userName unless it is set
	began        time.Time
	// adopts is false for a client that never stores a new refresh token.
	adopts          bool
	access, refresh string
}

func (t *traffic) start() {
	add := func(live func(*client), name, policy string, adopts bool) {
		c := &client{traffic: t, name: name, policy: policy, adopts: adopts}
		t.count++
		t.wg.Go(func() { live(c) })
	}
	for _, policy := range policies {
		add((*client).stay, policy+" a", policy, true)
		add((*client).stay, policy+" b", policy, policy == "strict")
		add((*client).end, policy+" ends", policy, true)
	}
	t.wg.Go(t.operate)
	t.wg.Go(t.tryEnded)
	t.wg.Go(t.fetchKeys)
}

// answer is what arrived; status 0 means that nothing did.
type answer struct {
	status     int
	body       string
	retryAfter time.Duration
}

func (t *traffic) do(method, path, contentType, authorization, body string) (a answer) {
	req, err := http.NewRequestWithContext(t.ctx, method, t.s.replicas[0].Issuer+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := t.s.http.Do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{body: err.Error()}
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return answer{resp.StatusCode, string(bytes.TrimSpace(text)), time.Duration(seconds) * time.Second}
}

// again waits as the answer says, and reports whether it says so.
func (t *traffic) again(a answer) bool {
	switch {
	case a.status == 0:
		if t.ctx.Err() == nil {
			t.fail("no answer")
		}
		t.sleep(500 * time.Millisecond)
	case a.status == http.StatusServiceUnavailable && a.retryAfter > 0:
		t.fail("503")
		t.sleep(a.retryAfter)
	default:
		return false
	}
	return true
}

func (t *traffic) sleep(d time.Duration) {
	select {
	case <-t.ctx.Done():
	case <-time.After(d):
	}
}

func (c *client) post(path string, values ...string) answer {
	if c.policy == "simplejwt" {
		body := map[string]string{}
		for i := 0; i < len(values); i += 2 {
			body[values[i]] = values[i+1]
		}
		text, _ := json.Marshal(body)
		return c.do(http.MethodPost, path, "application/json", "", string(text))
	}
	form := url.Values{"client_id": {c.policy}}
	for i := 0; i < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return c.do(http.MethodPost, path, "application/x-www-form-urlencoded", "", form.Encode())
}

func (c *client) login() answer {
	if c.policy == "simplejwt" {
		return c.post("/api/token/", "username", userName, "password", userPassword)
	}
	return c.post("/oauth2/token", "grant_type", "password", "username", cmp.Or(c.user, userName), "password", userPassword, "scope", "openid")
}

func (c *client) use(refresh string) answer {
	if c.policy == "simplejwt" {
		return c.post("/api/token/refresh/", "refresh", refresh)
	}
	return c.post("/oauth2/token", "grant_type", "refresh_token", "refresh_token", refresh)
}

func (c *client) revoke() answer {
	if c.policy == "simplejwt" {
		return c.post("/api/token/blacklist/", "refresh", c.refresh)
	}
	return c.post("/oauth2/revoke", "token", c.refresh)
}

// check presents the access token.
func (c *client) check() answer {
	if c.policy == "simplejwt" {
		return c.post("/api/token/verify/", "token", c.access)
	}
	return c.do(http.MethodGet, "/oauth2/userinfo", "", "Bearer "+c.access, "")
}

// take stores the tokens of an answer.
func (c *client) take(a answer, adopt bool) {
	var tokens struct {
		Access, Refresh string
		AccessToken     string `json:"access_token"`
		RefreshToken    string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &tokens); err != nil {
		c.note(&c.odd, "%s: %d %s", c.name, a.status, a.body)
		return
	}
	c.access = tokens.Access + tokens.AccessToken
	if refresh := tokens.Refresh + tokens.RefreshToken; refresh != "" && adopt {
		c.refresh = refresh
	}
}

// mustLogIn logs in, however long it takes.
func (c *client) mustLogIn() {
	for c.ctx.Err() == nil {
		switch a := c.login(); {
		case a.status == http.StatusOK:
			c.take(a, true)
			c.began = time.Now()
			c.succeed(c.name)
			return
		case c.again(a):
		default:
			c.note(&c.odd, "%s: login: %d %s", c.name, a.status, brief(a.body))
			c.sleep(500 * time.Millisecond)
		}
	}
}

// stay logs in once and refreshes without end.
func (c *client) stay() {
	c.mustLogIn()
	for n := 0; c.ctx.Err() == nil; c.sleep(pause) {
		if !c.refreshOnce() {
			c.mustLogIn()
		}
		if n++; n%4 == 0 {
			c.checkOnce()
		}
	}
}

// refreshOnce makes one refresh, as often as it takes. It returns false when the session is lost.
func (c *client) refreshOnce() bool {
	for tries := 1; c.ctx.Err() == nil; tries++ {
		switch a := c.use(c.refresh); {
		case a.status == http.StatusOK:
			c.take(a, c.adopts)
			c.succeed(c.name)
			return true
		case c.again(a):
		case a.status == http.StatusBadRequest, a.status == http.StatusUnauthorized:
			if c.s.wasLagging(c.began) {
				c.tell(&c.young)
				return false
			}
			c.note(&c.lost, "LOST %s, at try %d: %d %s", c.name, tries, a.status, brief(a.body))
			return false
		default:
			c.note(&c.odd, "%s: refresh: %d %s", c.name, a.status, brief(a.body))
			c.sleep(500 * time.Millisecond)
		}
	}
	return true
}

// checkOnce presents an access token that was issued just now.
func (c *client) checkOnce() {
	for c.ctx.Err() == nil {
		a := c.check()
		if a.status == http.StatusOK {
			return
		}
		if !c.again(a) {
			c.note(&c.odd, "%s: a new access token: %d %s", c.name, a.status, brief(a.body))
			return
		}
	}
}

// end logs in, refreshes once, and logs out, without end.
func (c *client) end() {
	for ; c.ctx.Err() == nil; c.sleep(5 * pause) {
		c.mustLogIn()
		first := c.refresh
		if !c.refreshOnce() {
			continue
		}
		if c.revokeOnce() {
			c.remember(first)
			if c.refresh != first {
				c.remember(c.refresh)
			}
		}
	}
}

// revokeOnce logs out, as often as it takes, until that is acknowledged.
func (c *client) revokeOnce() bool {
	for tries := 1; c.ctx.Err() == nil; tries++ {
		switch a := c.revoke(); {
		case a.status == http.StatusOK, tries > 1 && a.status == http.StatusUnauthorized: // ended by an earlier try
			c.succeed(c.name)
			return true
		case c.again(a):
		default:
			c.note(&c.odd, "%s: revoke: %d %s", c.name, a.status, brief(a.body))
			return false
		}
	}
	return false
}

func (c *client) remember(token string) {
	c.ended.Lock()
	defer c.ended.Unlock()
	c.ended.all = append(c.ended.all, endedToken{c.policy, token, time.Now()})
	c.mu.Lock()
	c.tally.ended++
	c.mu.Unlock()
}

// fetchKeys does what resource servers do.
func (t *traffic) fetchKeys() {
	for ; t.ctx.Err() == nil; t.sleep(pause) {
		switch a := t.do(http.MethodGet, "/oauth2/jwks", "", "", ""); {
		case a.status == http.StatusOK:
			t.keysServed()
		case t.ctx.Err() != nil, a.status == 0, a.status == http.StatusServiceUnavailable && a.retryAfter > 0:
		default:
			t.note(&t.odd, "the key set: %d %s", a.status, brief(a.body))
		}
	}
}

// tryEnded presents ended tokens all the time.
func (t *traffic) tryEnded() {
	for ; t.ctx.Err() == nil; t.sleep(2 * pause) {
		t.ended.Lock()
		all := t.ended.all
		t.ended.Unlock()
		if len(all) == 0 {
			continue
		}
		// The latest ones matter most.
		recent := all[max(0, len(all)-20):]
		t.tryOne(recent[rand.IntN(len(recent))])
	}
}

// tryAll presents all tokens that have ended since the event began.
func (t *traffic) tryAll() {
	t.ended.Lock()
	all := t.ended.all
	t.ended.all = nil
	t.ended.Unlock()
	for _, e := range all {
		for !t.tryOne(e) {
			t.sleep(time.Second)
		}
	}
}

// tryOne presents an ended token, and reports whether there was a verdict.
func (t *traffic) tryOne(e endedToken) bool {
	c := &client{traffic: t, policy: e.policy}
	switch a := c.use(e.token); a.status {
	case http.StatusOK:
		if t.s.wasLagging(e.at) {
			t.tell(&t.alive)
			return true
		}
		t.note(&t.resurrected, "RESURRECTED %s, ended %s ago", e.policy, time.Since(e.at).Round(time.Millisecond))
	case http.StatusBadRequest, http.StatusUnauthorized:
	case 0, http.StatusServiceUnavailable:
		return t.ctx.Err() != nil
	default:
		t.note(&t.odd, "an ended token of %s: %d %s", e.policy, a.status, brief(a.body))
	}
	return true
}

func brief(text string) string { return fmt.Sprintf("%.300s", text) }
