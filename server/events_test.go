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

// Whatever is written about a user stands on their account page, in words and not by the name that operators search for.
func TestEveryEventOfAUserHasWords(t *testing.T) {
	t.Parallel()
	made := regexp.MustCompile(`[eE]vent\((?:ctx, |r\.Context\(\), )?"([a-z_]+)"`)
	nobodys := map[string]bool{ // about a client, about many users, about targets of events
		"client_sessions_ended": true, "users_imported": true, "webhook_created": true, "webhook_removed": true, "webhook_disabled": true,
		"webhook_delivery_abandoned": true,
	}
	actions := make(map[string]bool)
	for _, folder := range []string{".", "../cmd/latchkey"} {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, found := range made.FindAllSubmatch(source, -1) {
				actions[string(found[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
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
