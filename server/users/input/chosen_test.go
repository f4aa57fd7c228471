package input_test

import (
	"testing"

	"latchkey/server/users/input"
)

// The letters of most languages are of one script, or of several that are written together.
func TestUsernamesOfManyScripts(t *testing.T) {
	t.Parallel()
	for _, username := range []string{
		"björn.1_2+3-4", "иван", "αλίκη", "太郎タロウa", "철수kim", "علي", "राम", "zo\u0308e", "me@example.com", "  spaces around ", "2026",
	} {
		err := input.CheckChosen(username, "me@example.com")
		if spaces := username == "  spaces around "; (err != nil) != spaces {
			t.Errorf("%q: %v", username, err)
		}
	}
	for _, username := range []string{"раypal", "αlice", "철수タロウ", "иванa", ""} {
		if input.CheckChosen(username, "") == nil {
			t.Errorf("%q may be chosen", username)
		}
	}
}
