package main

import (
	"fmt"
	"strings"
	"testing"
)

// Keys that sign, and whatever stands under a name that nobody knows, are in no output, whatever is wrong with them.
func TestDjangoNeverShowsAKey(t *testing.T) {
	t.Parallel()
	for _, dictionary := range []string{
		`{"SIGNING_KEY": "c4n4ry"}`, `{"SIGNING_KEY": ["c4n4ry"]}`, `{"SIGNING_KEY": "c4n4ry", "ALGORITHM": "RS256", "VERIFYING_KEY": "c4n4ry"}`,
		`{"SECRET_KEY": "c4n4ry", "SIGNIN_KEY": "c4n4ry"}`, `{"SIMPLE_JWT": {"SIGNING_KEY": "c4n4ry"}}`, `{"SIMPLE_JWT": {"SIGNING_KEY": "c4n4ry"}, "X": 1}`,
		`{"VERIFYING_KEY": {"c4n4ry": 1}}`, `{"SIGNING_KEY": "c4n4ry"`, `"c4n4ry"`, `{"SIGNING_KEY": c4n4ry}`, `{"SIGNING_KEY": "c4n4ry"} c4n4ry`,
	} {
		for _, asJSON := range []bool{false, true} {
			var out strings.Builder
			a := &app{stdin: strings.NewReader(dictionary), stdout: &out, stderr: &out}
			err := (&djangoSettingsCmd{File: "-", JSON: asJSON}).Run(t.Context(), a)
			if said := fmt.Sprint(out.String(), err); strings.Contains(said, "c4n4ry") || said == "" {
				t.Errorf("%s: %s", dictionary, said)
			}
		}
	}
}
