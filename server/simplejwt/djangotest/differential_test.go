package djangotest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// profiles are settings of simplejwt and the flags of Latchkey that mean the same.
var profiles = []struct {
	name  string
	flags []string
}{
	{"norotate", []string{"--simplejwt-rotation=off"}},
	{"rotate", []string{"--simplejwt-rotation=reissue"}},
	{"rotate_blacklist", []string{"--simplejwt-rotation=strict", "--simplejwt-on-reuse=reject"}},
}

const (
	seedVariable     = "LATCHKEY_TEST_DJANGO_SEED"
	requestsVariable = "LATCHKEY_TEST_DJANGO_REQUESTS"
)

// TestSameAnswers fires generated requests at the real simplejwt and at Latchkey, and wants the same answers but for those
// that testdata/explained.json explains.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	need52(t)
	seed, requests := chosen(t)
	t.Logf("seed %d, at least %d requests; %s=%d makes the same ones", seed, requests, seedVariable, seed)
	users := accounts(t)
	djangoBefore := newSite(t, users)
	latchkeyBefore := newDeployment(t).withUsers(t, users, djangoBefore.hashes)
	c := &comparison{seed: seed, users: users, explanations: explanations(t)}
	for i, p := range profiles {
		t.Run(p.name, func(t *testing.T) {
			django := &party{name: "Django", address: djangoBefore.copyOf(t).serve(t, p.name, "")}
			flags := append([]string{"--simplejwt-compat=5.2", "--simplejwt-signing-key=" + secretKey}, p.flags...)
			latchkey := &party{name: "Latchkey", address: latchkeyBefore.copyOf(t).serve(flags...)}
			c.run(t, p.name, django, latchkey, i*1_000_000, (requests+len(profiles)-1)/len(profiles))
		})
	}
	c.report(t)
}

// chosen are the seed and the number of requests.
func chosen(t *testing.T) (seed uint64, requests int) {
	t.Helper()
	seed, requests = 20241122, 900
	var err error
	switch text := os.Getenv(seedVariable); text {
	case "":
	case "random":
		seed = uint64(rand.Uint32())
	default:
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	if text := os.Getenv(requestsVariable); text != "" {
		if requests, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", requestsVariable, err)
		}
	}
	return seed, requests
}

// comparison counts what the run saw.
type comparison struct {
	seed         uint64
	users        []account
	explanations []*explanation
	requests     int
	explained    int
	unexplained  int
	statuses     map[int]int
}

// run plays scenarios from the index on until there were so many requests.
func (c *comparison) run(t *testing.T, profile string, django, latchkey *party, index, requests int) {
	if c.statuses == nil {
		c.statuses = map[int]int{}
	}
	for sent := 0; sent < requests; index++ {
		s := draw(c.seed, index, c.users, profile != "norotate")
		all, err := play(s, django, latchkey)
		for _, x := range all {
			x.profile, x.index = profile, index
			c.judge(t, x)
		}
		if err != nil && !c.followsFromExplained(all) {
			t.Fatalf("scenario %d (%s: %s): %v", index, s.category, s.note, err)
		}
		sent += len(all)
	}
}

// followsFromExplained tells whether a scenario could not go on because the answers differed before, which was judged.
func (c *comparison) followsFromExplained(all []*exchange) bool {
	return len(all) > 0 && len(differences(all[len(all)-1])) > 0
}

func (c *comparison) judge(t *testing.T, x *exchange) {
	t.Helper()
	c.requests++
	c.statuses[x.django.status]++
	found := differences(x)
	if len(found) == 0 {
		return
	}
	for _, e := range c.explanations {
		if e.covers(x, found) {
			e.covered++
			c.explained++
			return
		}
	}
	c.unexplained++
	if c.unexplained <= 40 {
		t.Errorf("%s", describe(x, found))
	} else {
		t.Fail()
	}
}

// describe says what was sent and how the answers differ, so that it can be tried by hand.
func describe(x *exchange, found []difference) string {
	var b strings.Builder
	fmt.Fprintf(&b, "scenario %d, step %d, %s: %s: %s\n", x.index, x.step, x.profile, x.scenario.category, x.scenario.note)
	fmt.Fprintf(&b, "  %q\n", tail(x.sent.text("host"), 3000))
	for _, d := range found {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	return b.String()
}

func (c *comparison) report(t *testing.T) {
	t.Helper()
	t.Logf("%d requests, %d the same, %d differences explained, %d unexplained; Django's statuses: %v",
		c.requests, c.requests-c.explained-c.unexplained, c.explained, c.unexplained, c.statuses)
	for _, e := range c.explanations {
		if e.covered > 0 {
			t.Logf("%4d × %s", e.covered, e.Name)
		}
	}
	if c.requests < 500 && os.Getenv(requestsVariable) == "" {
		t.Errorf("only %d requests were compared", c.requests)
	}
}
