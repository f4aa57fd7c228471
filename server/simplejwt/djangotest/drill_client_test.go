package djangotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// person is somebody with one session.
type person struct {
	d *drill
	// cell is the row of the table that the session counts in.
	cell string
	// name is that of the login, id the user's id as the API says it.
	name, password, id string
	// step is what the client does while the session lives; nil once it is dead.
	step func(context.Context, *person) error

	mu      sync.Mutex
	refresh string
	// dead are tokens that must lead nowhere any more.
	dead []string
	// removed says that the user is deleted at the site.
	removed bool
	steps   atomic.Int64
	// before are the steps that it began with.
	before int64
}

// answer is what came back. A status of 0 means that nothing did.
type drillAnswer struct {
	status int
	body   string
	// later says that it asks to be tried again later.
	later bool
}

var drillHTTP = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// ask sends a request to the site, again while nobody answers.
func (d *drill) ask(ctx context.Context, method, path, bearer string, body any) (drillAnswer, error) {
	return d.askFor(ctx, nil, method, path, bearer, body)
}

// askFor is ask for a person, or for nobody.
func (d *drill) askFor(ctx context.Context, p *person, method, path, bearer string, body any) (drillAnswer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return drillAnswer{}, err
	}
	for begun := time.Now(); ; {
		a, err := d.askOnce(ctx, method, path, bearer, text)
		if err == nil && a.status < 500 && a.status != http.StatusTooManyRequests {
			d.table.answered(false)
			return a, nil
		}
		if err == nil && p != nil && p.removed && a.djangoFailed() {
			return a, nil
		}
		if a.later {
			d.table.answered(true)
		} else {
			d.table.odd("%s %s: %v %d %.200s", method, path, err, a.status, a.body)
		}
		if time.Since(begun) > patience || ctx.Err() != nil {
			return a, fmt.Errorf("%s: no answer within %s: %v %d %.200s", path, patience, err, a.status, a.body)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (d *drill) askOnce(ctx context.Context, method, path, bearer string, body []byte) (a drillAnswer, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+d.site.address+path, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := drillHTTP.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	later := resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
	return drillAnswer{resp.StatusCode, string(text), later}, err
}

// djangoFailed reports whether Django answered that a view has failed. That is how simplejwt from 5.4 on refuses to refresh for a user
// who is deleted: TokenRefreshSerializer lets DoesNotExist pass.
func (a drillAnswer) djangoFailed() bool {
	return a.status == http.StatusInternalServerError && strings.Contains(a.body, "<title>Server Error (500)</title>")
}

type drillTokens struct{ Access, Refresh string }

func (a drillAnswer) tokens() (t drillTokens) {
	json.Unmarshal([]byte(a.body), &t)
	return t
}

// login begins the session.
func (p *person) login(ctx context.Context) error {
	a, err := p.d.ask(ctx, http.MethodPost, "/api/token/", "", map[string]string{p.d.loginField(): p.name, "password": p.password})
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("%s, %s: login: %d %.300s", p.cell, p.name, a.status, a.body)
	}
	t := a.tokens()
	p.mu.Lock()
	p.refresh = t.Refresh
	p.mu.Unlock()
	return p.check(ctx, t.Access)
}

// use presents a refresh token. A refusal is a forced logout.
func (p *person) use(ctx context.Context, refresh string) (drillTokens, error) {
	a, err := p.d.askFor(ctx, p, http.MethodPost, "/api/token/refresh/", "", map[string]string{"refresh": refresh})
	if err != nil {
		return drillTokens{}, err
	}
	if a.status != http.StatusOK {
		return drillTokens{}, &loggedOut{fmt.Sprintf("%d %.200s", a.status, a.body)}
	}
	t := a.tokens()
	p.d.sees(p, t.Access)
	return t, nil
}

type loggedOut struct{ why string }

func (e *loggedOut) Error() string { return "logged out: " + e.why }

// check asks the API who the access token is for.
func (p *person) check(ctx context.Context, access string) error {
	a, err := p.d.ask(ctx, http.MethodGet, "/api/whoami/", access, nil)
	if err != nil {
		return err
	}
	var who struct {
		ID     string
		Tenant *string
		Groups *[]string
	}
	if a.status != http.StatusOK || json.Unmarshal([]byte(a.body), &who) != nil {
		return &loggedOut{fmt.Sprintf("the API says %d %.200s", a.status, a.body)}
	}
	p.mu.Lock()
	if p.id == "" {
		p.id = who.ID
	}
	other := p.id != who.ID
	p.mu.Unlock()
	if other {
		p.d.table.count(p.cell, func(c *drillCell) { c.others++ })
	}
	if p.d.site.model == "custom" && (who.Tenant == nil || who.Groups == nil) {
		p.d.table.count(p.cell, func(c *drillCell) { c.claims++ })
	}
	return nil
}

func (p *person) token() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refresh
}

// adopt stores the refresh token of an answer, if it has one.
func (p *person) adopt(t drillTokens) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.Refresh != "" {
		p.refresh = t.Refresh
	}
}

// The kinds of clients. Each step ends with an access token that the API is asked about.

// neverAdopts presents the token of the login for ever.
func neverAdopts(ctx context.Context, p *person) error {
	t, err := p.use(ctx, p.token())
	if err != nil {
		return err
	}
	return p.check(ctx, t.Access)
}

// adopts stores each new token.
func adopts(ctx context.Context, p *person) error {
	t, err := p.use(ctx, p.token())
	if err != nil {
		return err
	}
	p.adopt(t)
	return p.check(ctx, t.Access)
}

// tabs are two that refresh at once.
func tabs(ctx context.Context, p *person) error {
	old := p.token()
	var other drillTokens
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() { other, failed = p.use(ctx, old) })
	t, err := p.use(ctx, old)
	wg.Wait()
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	p.adopt(t)
	p.adopt(other)
	return p.check(ctx, other.Access)
}

// losesAnswers does not get every second answer.
func losesAnswers(ctx context.Context, p *person) error {
	if p.steps.Load()%2 == 0 {
		if _, err := p.use(ctx, p.token()); err != nil {
			return err
		}
	}
	return adopts(ctx, p)
}

// slowTab presents a token a moment after another tab has used its successor.
func slowTab(ctx context.Context, p *person) error {
	old := p.token()
	for range 2 {
		t, err := p.use(ctx, p.token())
		if err != nil {
			return err
		}
		p.adopt(t)
	}
	t, err := p.use(ctx, old)
	if err != nil {
		return err
	}
	p.adopt(t)
	return p.check(ctx, t.Access)
}

// try presents the dead tokens, and counts those that still lead to an answer of the API.
func (p *person) try(ctx context.Context) error {
	for _, token := range p.dead {
		a, err := p.d.askFor(ctx, p, http.MethodPost, "/api/token/refresh/", "", map[string]string{"refresh": token})
		if err != nil {
			return err
		}
		p.d.table.count(p.cell, func(c *drillCell) { c.tried++ })
		if a.status != http.StatusOK {
			continue
		}
		who, err := p.d.ask(ctx, http.MethodGet, "/api/whoami/", a.tokens().Access, nil)
		if err != nil {
			return err
		}
		if who.status == http.StatusOK {
			p.d.table.revived(p, p.d.at(), token)
		}
	}
	return nil
}
