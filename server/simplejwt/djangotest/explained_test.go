package djangotest

import (
	"bytes"
	"encoding/json"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// explanation is a difference that is meant, as testdata/explained.json lists them. It covers an exchange when all that it
// names fits and every part that differs is among its parts.
type explanation struct {
	// Name is what the comparison reports; Reason says why Latchkey answers otherwise.
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// Documented is text in docs/divergences.md that tells users the same.
	Documented string `json:"documented"`

	Categories []string `json:"categories"` // of the grammar; none = any
	Profiles   []string `json:"profiles"`
	Paths      []string `json:"paths"` // patterns as of package path, without the query
	Notes      string   `json:"notes"` // a regular expression
	Parts      []string `json:"parts"` // "body" covers tokens' parts too
	// Django and Latchkey are what each answered: a status, and a regular expression in the body.
	Django   answered `json:"django"`
	Latchkey answered `json:"latchkey"`

	covered int
}

type answered struct {
	Status []int  `json:"status"`
	Body   string `json:"body"`
}

func explanations(t *testing.T) (all []*explanation) {
	t.Helper()
	text, err := os.ReadFile("testdata/explained.json")
	if err != nil {
		t.Fatal(err)
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&all); err != nil {
		t.Fatalf("testdata/explained.json: %v", err)
	}
	return all
}

// TestExplanationsAreDocumented keeps the list of the comparison and the one for users together.
func TestExplanationsAreDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../../../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(string(document)), " ")
	for _, e := range explanations(t) {
		if e.Name == "" || e.Reason == "" || len(e.Parts) == 0 {
			t.Errorf("%+v: an explanation has a name, a reason and parts", e)
		}
		if e.Documented == "" || !strings.Contains(flat, e.Documented) {
			t.Errorf("%s: docs/divergences.md does not say %q", e.Name, e.Documented)
		}
	}
}

func (e *explanation) covers(x *exchange, found []difference) bool {
	if !among(e.Categories, x.scenario.category) || !among(e.Profiles, x.profile) {
		return false
	}
	target, _, _ := strings.Cut(x.sent.target, "?")
	if len(e.Paths) > 0 && !anyPattern(e.Paths, target) {
		return false
	}
	if e.Notes != "" && !regexp.MustCompile(e.Notes).MatchString(x.scenario.note) {
		return false
	}
	if !e.Django.fits(x.django) || !e.Latchkey.fits(x.latchkey) {
		return false
	}
	for _, d := range found {
		if !among(e.Parts, d.part) {
			return false
		}
	}
	return true
}

func (a *answered) fits(r *reply) bool {
	if !among(a.Status, r.status) {
		return false
	}
	return a.Body == "" || regexp.MustCompile(a.Body).Match(r.body)
}

// among is true for an empty list: it asks for nothing.
func among[T comparable](list []T, one T) bool {
	for _, l := range list {
		if l == one {
			return true
		}
	}
	return len(list) == 0
}

func anyPattern(patterns []string, target string) bool {
	for _, p := range patterns {
		if ok, _ := path.Match(p, target); ok {
			return true
		}
	}
	return false
}
