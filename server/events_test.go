package server_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sources calls f with each source file below a folder, tests or others.
func sources(t *testing.T, folder string, wanted func(path string) bool, f func(source []byte)) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !wanted(path) {
			return err
		}
		source, err := os.ReadFile(path)
		f(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// actionsIn returns the actions of the audit events that the code in these folders makes.
func actionsIn(t *testing.T, pattern string, folders ...string) map[string]bool {
	t.Helper()
	made, actions := regexp.MustCompile(pattern), make(map[string]bool)
	for _, folder := range folders {
		code := func(path string) bool { return strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") }
		sources(t, folder, code, func(source []byte) {
			for _, found := range made.FindAllSubmatch(source, -1) {
				actions[string(found[1])] = true
			}
		})
	}
	return actions
}

// Statement 74: every event that the code makes is looked for in some test.
func TestStatement74EveryEventIsTested(t *testing.T) {
	t.Parallel()
	actions := actionsIn(t, `[eE]vents?(?:At|Of)?\((?:[a-zA-Z.]*(?:ctx|Context)(?:\(\))?, )?"([a-z]+_[a-z_]+)"`, ".", "../clients", "../cmd/latchkey")
	if len(actions) < 60 {
		t.Fatalf("only %d events found: are they made in another way now?", len(actions))
	}
	word, tested := regexp.MustCompile(`[a-z]+(?:_[a-z]+)+`), make(map[string]bool)
	for _, folder := range []string{".", "../clients", "../storage", "../cmd/latchkey"} {
		test := func(path string) bool {
			return strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".txtar")
		}
		sources(t, folder, test, func(source []byte) {
			for _, found := range word.FindAll(source, -1) {
				tested[string(found)] = true
			}
		})
	}
	for action := range actions {
		if !tested[action] {
			t.Errorf("no test looks for %s", action)
		}
	}
}

// Whatever is written about a user stands on their account page, in words and not by the name that operators search for.
func TestEveryEventOfAUserHasWords(t *testing.T) {
	t.Parallel()
	nobodys := map[string]bool{ // about a client, about many users, about none yet, about targets of events
		"client_sessions_ended": true, "users_imported": true, "webhook_created": true, "webhook_removed": true, "webhook_disabled": true,
		"webhook_delivery_abandoned": true, "invitation_withdrawn": true,
	}
	actions := actionsIn(t, `[eE]vent\((?:ctx, |r\.Context\(\), )?"([a-z_]+)"`, ".", "../cmd/latchkey")
	if len(actions) < 20 {
		t.Fatalf("only %d events found: are they made in another way now?", len(actions))
	}
	for _, language := range []string{"en", "de"} {
		raw, err := os.ReadFile(filepath.Join("web", "texts", language+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var texts map[string]json.RawMessage
		if err := json.Unmarshal(raw, &texts); err != nil {
			t.Fatal(err)
		}
		for action := range actions {
			if _, ok := texts["event."+action]; !ok && !nobodys[action] {
				t.Errorf("%s: no words for %s", language, action)
			}
		}
		for key := range texts {
			if action, ok := strings.CutPrefix(key, "event."); ok && action != "other" && !actions[action] {
				t.Errorf("%s: words for %s, which never happens", language, action)
			}
		}
	}
}
