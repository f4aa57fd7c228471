package djangotest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// drill moves a site under traffic: Django → shadow → 10 % → 100 % → back → 100 %.
type drill struct {
	t     *testing.T
	site  *drillSite
	table *drillTable
	// stage is where the tokens come from now.
	stage atomic.Value
	// user is the next user who has no session yet.
	user int

	mu     sync.Mutex
	people []*person
	// busy are in a step.
	busy map[*person]bool
}

func (d *drill) at() string { return d.stage.Load().(string) }

func (d *drill) loginField() string {
	if d.site.model == "custom" {
		return "email"
	}
	return "username"
}

// sees counts a token that says it is another person's.
func (d *drill) sees(p *person, access string) {
	id := ""
	if parsed, ok := parseToken(access); ok {
		for _, c := range parsed.claims {
			if c.name == "user_id" {
				id = strings.Trim(c.value, `"`)
			}
		}
	}
	p.mu.Lock()
	other := p.id != "" && id != p.id
	p.mu.Unlock()
	if other {
		d.table.count(p.cell, func(c *drillCell) { c.others++ })
	}
}

// somebody is the next user.
func (d *drill) somebody(cell string, step func(context.Context, *person) error) *person {
	name := fmt.Sprintf("user%d", d.user)
	if d.site.model == "custom" {
		name += "@example.com"
	}
	d.user++
	return d.newPerson(cell, name, step)
}

func (d *drill) newPerson(name, login string, step func(context.Context, *person) error) *person {
	d.table.count(name, func(c *drillCell) { c.sessions++ })
	return &person{d: d, cell: name, name: login, password: drillPassword, step: step}
}

// TestDrill is the drill that decides (docs/django.md): nobody is logged out, no dead token is accepted, no token is taken for
// another person, in any cell.
func TestDrill(t *testing.T) {
	t.Parallel()
	needDrill(t)
	live, users := 120, 1000 // and as many others to which something happens
	if os.Getenv("LATCHKEY_TEST_DRILL") == "long" {
		live, users = 900, 20_000
	}
	for _, model := range []string{"stock", "custom"} {
		t.Run(model, func(t *testing.T) {
			d := &drill{t: t, table: newDrillTable(), busy: map[*person]bool{}}
			d.stage.Store("Django")
			begun := time.Now()
			d.site = newDrillSite(t, model, users)
			ready := time.Since(begun)
			d.run(t, live)
			t.Logf("the %s model, %d sessions, %d users, in %s (%s of it to start):\n%s", model, len(d.people), users,
				time.Since(begun).Round(time.Second), ready.Round(time.Second), d.table)
			for _, name := range d.table.order {
				if c := d.table.cells[name]; c.loggedOut+c.accepted+c.others+c.claims > 0 {
					t.Errorf("%s: %d forced logouts, %d dead tokens accepted, %d taken for another person, %d without the site's claims",
						name, c.loggedOut, c.accepted, c.others, c.claims)
				}
			}
			if len(d.table.odds) > 0 {
				t.Errorf("%d answers were neither success nor refusal", len(d.table.odds))
			}
			if d.table.putOff*1000 > d.table.answers*maxPutOff {
				t.Errorf("%d of %d answers asked to be tried again later", d.table.putOff, d.table.answers)
			}
		})
	}
}

// liveKinds are the clients whose sessions live to the end.
var liveKinds = []struct {
	name string
	step func(context.Context, *person) error
}{
	{"never adopting", neverAdopts},
	{"adopting", adopts},
	{"tabs", tabs},
	{"lost answers", losesAnswers},
	{"slow tab", slowTab},
}

// perEvent is to how many sessions something happens at a stage.
const perEvent = 4

func (d *drill) run(t *testing.T, live int) {
	ctx := t.Context()
	var first []*person // who are there from the beginning
	for i := range live {
		kind := liveKinds[i%len(liveKinds)]
		first = append(first, d.somebody(kind.name, kind.step))
	}
	d.each(first, (*person).login)
	d.expired(ctx)

	traffic := d.traffic(ctx)
	type stage struct {
		name, address string
		// own is set where Latchkey answers everybody.
		own bool
	}
	for _, st := range []stage{
		{"Django", d.site.django, false},
		{"shadow", d.site.shadow.Listen, false},
		{"10 %", d.site.tenth.Listen, false},
		{"100 %", d.site.serve.Listen, true},
		{"back", d.site.django, false},
		{"100 % again", d.site.serve.Listen, true},
	} {
		d.stage.Store(st.name)
		d.site.turn(st.address)
		d.everybody(2)
		d.events(ctx, st.name, st.own)
		d.everybody(1)
		time.Sleep(1500 * time.Millisecond) // Django's blacklist is copied each second
		d.tryDead(ctx)
		if st.name == "shadow" {
			d.readiness()
		}
	}
	traffic()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.people {
		d.table.count(p.cell, func(c *drillCell) { c.steps += int(p.steps.Load() - p.before) })
	}
}

// readiness is what the shadow says: it must have compared everything, and found no difference that an application could notice. Logins
// that others will have are none of this test's.
func (d *drill) readiness() {
	d.t.Helper()
	cmd := exec.Command(d.site.serve.Binary, "django", "report", d.site.state)
	cmd.Env = d.site.serve.Environment()
	deadline := time.Now().Add(patience)
	for {
		time.Sleep(6 * time.Second) // the counts are written every five
		r, _ := (&deployment{d.site.serve}).report(d.t, d.site.state, 1)
		waiting := false
		for _, n := range r.Routes {
			waiting = waiting || n.Compared+n.Own+n.Dropped+n.Failed < n.Requests*99/100
		}
		if !waiting || time.Now().After(deadline) {
			break
		}
	}
	out, err := cmd.Output()
	d.t.Logf("the report of the shadow (%v):\n%s", err, out)
	if err != nil {
		d.t.Error("the shadow says no-go")
	}
}

// each does something for all, a few at a time.
func (d *drill) each(people []*person, do func(*person, context.Context) error) {
	d.t.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, p := range people {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := do(p, d.t.Context()); err != nil {
				var out *loggedOut
				if errors.As(err, &out) {
					d.table.loggedOut(p, d.at(), err)
					return
				}
				d.t.Error(err)
			}
		})
	}
	wg.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	fewest := int64(0) // newcomers don't catch up
	for _, p := range d.people {
		fewest = max(fewest, p.steps.Load())
	}
	for _, p := range people {
		if p.steps.Load() == 0 {
			p.steps.Store(fewest)
			p.before = fewest
		}
		if !slices.Contains(d.people, p) {
			d.people = append(d.people, p)
		}
	}
}

// traffic keeps all who are alive refreshing, until the function that it returns is called.
func (d *drill) traffic(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				p := d.pick()
				if p == nil {
					time.Sleep(time.Millisecond)
					continue
				}
				err := p.step(context.WithoutCancel(ctx), p)
				p.steps.Add(1)
				if d.at() == "shadow" { // what it can't compare it drops
					time.Sleep(100 * time.Millisecond)
				}
				var out *loggedOut
				switch {
				case errors.As(err, &out):
					d.table.loggedOut(p, d.at(), err)
					d.end(p)
				case err != nil:
					d.t.Error(err)
					d.end(p)
				}
				d.release(p)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// pick takes somebody who is alive and not busy, with the fewest steps.
func (d *drill) pick() *person {
	d.mu.Lock()
	defer d.mu.Unlock()
	var best *person
	begin := rand.IntN(len(d.people))
	for i := range d.people {
		p := d.people[(begin+i)%len(d.people)]
		if p.step != nil && !d.busy[p] && (best == nil || p.steps.Load() < best.steps.Load()) {
			best = p
		}
	}
	if best != nil {
		d.busy[best] = true
	}
	return best
}

func (d *drill) release(p *person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.busy, p)
}

func (d *drill) end(p *person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.step = nil
}

// everybody waits until all who are alive have made so many steps from now on.
func (d *drill) everybody(steps int64) {
	d.t.Helper()
	d.mu.Lock()
	from := map[*person]int64{}
	for _, p := range d.people {
		if p.step != nil {
			from[p] = p.steps.Load()
		}
	}
	d.mu.Unlock()
	for deadline := time.Now().Add(10 * time.Minute); len(from) > 0; time.Sleep(10 * time.Millisecond) {
		d.mu.Lock()
		for p, n := range from {
			if p.step == nil || p.steps.Load() >= n+steps {
				delete(from, p)
			}
		}
		d.mu.Unlock()
		if time.Now().After(deadline) {
			d.t.Fatalf("%d sessions make no steps", len(from))
		}
	}
}

// tryDead presents all tokens that must be dead.
func (d *drill) tryDead(ctx context.Context) {
	d.mu.Lock()
	people := slices.Clone(d.people)
	d.mu.Unlock()
	d.each(slices.DeleteFunc(people, func(p *person) bool { return len(p.dead) == 0 }), (*person).try)
}

// expired are sessions whose tokens have ended before the drill begins.
func (d *drill) expired(ctx context.Context) {
	var people []*person
	for range perEvent {
		p := d.somebody("expired", nil)
		people = append(people, p)
	}
	d.each(people, (*person).login)
	for _, p := range people {
		id := p.id
		if d.site.model == "custom" {
			id = `"` + id + `"`
		}
		m := minted{header: usualHeader, alg: "HS256", key: secretKey, claims: `{"token_type":"refresh","exp":{{now-60}},"iat":{{now-3600}},` +
			`"jti":"0123456789abcdef0123456789abcd` + fmt.Sprintf("%02x", d.user) + `","user_id":` + id + `}`}
		p.dead = []string{m.token(time.Now())}
	}
}

// events let something happen to new sessions: they begin here, and end here.
func (d *drill) events(ctx context.Context, stage string, own bool) {
	at := func(what string) string { return what + ", at " + stage }
	group := func(cell string) (people []*person) {
		for range perEvent {
			people = append(people, d.somebody(cell, nil))
		}
		d.each(people, (*person).login)
		d.each(people, func(p *person, ctx context.Context) error { return adopts(ctx, p) })
		return people
	}
	settle := func() {
		if stage == "shadow" {
			time.Sleep(2 * time.Second) // a login must be compared before its user is no more
		}
	}
	for _, p := range group(at("logged out")) {
		d.must(ctx, "/api/token/blacklist/", map[string]string{"refresh": p.token()})
		p.dead = append(p.dead, p.token())
	}
	inactive, deleted := group(at("inactive")), group(at("deleted"))
	settle()
	for _, p := range inactive {
		d.must(ctx, "/site/deactivate/", map[string]string{"name": p.name})
		p.dead = append(p.dead, p.token())
	}
	for _, p := range deleted {
		d.must(ctx, "/site/delete/", map[string]string{"name": p.name})
		p.dead, p.removed = append(p.dead, p.token()), true
	}
	if own {
		d.thieves(ctx, group(at("thief")))
	}
	d.signups(ctx, at("signed up"))
	d.passwords(ctx, at("password changed"))
}

// must is what somebody does at the site.
func (d *drill) must(ctx context.Context, path string, body map[string]string) drillAnswer {
	d.t.Helper()
	a, err := d.ask(ctx, http.MethodPost, path, "", body)
	if err != nil || a.status != http.StatusOK {
		d.t.Errorf("%s at %s: %v %d %.200s", path, d.at(), err, a.status, a.body)
	}
	return a
}

// thieves have a token of their victim's; the victim goes on, and the thief comes too late.
func (d *drill) thieves(ctx context.Context, victims []*person) {
	for _, p := range victims {
		stolen := p.token()
		for range 3 {
			if err := adopts(ctx, p); err != nil {
				d.table.loggedOut(p, d.at(), err)
			}
		}
		p.dead = append(p.dead, stolen, p.token()) // in this order: the theft ends the family
	}
}

// signups are people who are new at this stage; their sessions go on.
func (d *drill) signups(ctx context.Context, cell string) {
	var people []*person
	for i := range perEvent {
		name := fmt.Sprintf("new%d.%d", d.user, i)
		if d.site.model == "custom" {
			name += "@example.com"
		}
		p := d.newPerson(cell, name, liveKinds[i%len(liveKinds)].step)
		d.must(ctx, "/site/signup/", map[string]string{"name": name, "password": drillPassword})
		people = append(people, p)
	}
	d.user++
	d.site.bringNew()
	d.each(people, (*person).login)
}

// passwords are changed at the site. The new one is good at once, and the old one is not.
func (d *drill) passwords(ctx context.Context, cell string) {
	var people []*person
	for i := range perEvent {
		p := d.somebody(cell, liveKinds[i%len(liveKinds)].step)
		p.password = "another-password-8"
		d.must(ctx, "/site/password/", map[string]string{"name": p.name, "password": p.password})
		a, err := d.ask(ctx, http.MethodPost, "/api/token/", "", map[string]string{d.loginField(): p.name, "password": drillPassword})
		if err != nil {
			d.t.Error(err)
		}
		d.table.count(cell, func(c *drillCell) {
			c.tried++
			if a.status == http.StatusOK {
				c.accepted++
				c.note("%s: the old password was accepted", p.name)
			}
		})
		people = append(people, p)
	}
	d.site.bringNew()
	d.each(people, (*person).login)
}
