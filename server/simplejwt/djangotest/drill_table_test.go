package djangotest

import (
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
)

// drillCell counts what happened to the sessions of one kind.
type drillCell struct {
	sessions, steps, tried int
	// loggedOut, accepted and others are what must not happen: forced logouts, dead tokens that were accepted, tokens that were taken
	// for another person.
	loggedOut, accepted, others int
	// claims counts tokens without the site's own claims.
	claims int
	notes  []string
}

// drillTable is the result.
type drillTable struct {
	mu    sync.Mutex
	order []string
	cells map[string]*drillCell
	odds  []string
	// answers counts what was answered, and putOff those that asked to be tried again later (503 with Retry-After), as a busy machine does.
	answers, putOff int
}

// maxPutOff is how many answers of a thousand may ask to be tried again later.
const maxPutOff = 1

func newDrillTable() *drillTable { return &drillTable{cells: map[string]*drillCell{}} }

func (t *drillTable) count(name string, change func(*drillCell)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.cells[name]
	if c == nil {
		c = &drillCell{}
		t.cells[name] = c
		t.order = append(t.order, name)
	}
	change(c)
}

// note keeps the first reasons of a cell.
func (c *drillCell) note(format string, args ...any) {
	if len(c.notes) < 3 {
		c.notes = append(c.notes, fmt.Sprintf(format, args...))
	}
}

func (t *drillTable) loggedOut(p *person, at string, err error) {
	t.count(p.cell, func(c *drillCell) {
		c.loggedOut++
		c.note("%s at %s: %v", p.name, at, err)
	})
}

func (t *drillTable) revived(p *person, at, token string) {
	t.count(p.cell, func(c *drillCell) {
		c.accepted++
		c.note("%s at %s: a dead token was accepted (%s)", p.name, at, describeDead(token))
	})
}

// describeDead says what a token is, without it.
func describeDead(raw string) string {
	parsed, _ := parseToken(raw)
	var names []string
	for _, c := range parsed.claims {
		if c.name == "fam" || c.name == "gen" || c.name == "seal" {
			names = append(names, c.name+"="+c.value)
		}
	}
	return strings.Join(names, " ")
}

// answered counts an answer.
func (t *drillTable) answered(putOff bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers++
	if putOff {
		t.putOff++
	}
}

// odd notes an answer that is neither success nor refusal.
func (t *drillTable) odd(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.odds = append(t.odds, fmt.Sprintf(format, args...))
}

// String returns the table.
func (t *drillTable) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "cell\tsessions\tsteps\tdead tried\tforced logouts\tdead accepted\tanother person\tclaims missing")
	for _, name := range t.order {
		c := t.cells[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", name, c.sessions, c.steps, c.tried, c.loggedOut, c.accepted, c.others, c.claims)
	}
	w.Flush()
	for _, name := range t.order {
		for _, note := range t.cells[name].notes {
			fmt.Fprintf(&b, "  %s: %s\n", name, note)
		}
	}
	fmt.Fprintf(&b, "%d of %d answers asked to be tried again later\n", t.putOff, t.answers)
	if len(t.odds) > 0 {
		fmt.Fprintf(&b, "%d answers were neither success nor refusal, such as: %s\n", len(t.odds), t.odds[0])
	}
	return b.String()
}
