package main

import (
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

func TestIdioms(t *testing.T) {
	t.Parallel()
	for content, want := range map[string][]string{
		"Nobody\nknows it.": {"Nobody"},
		"It gives the key to whoever asks; a stranger is told.":           {"gives", "whoever", "stranger", "told"},
		"The prompt none stands alone. Who has it keeps it.":              {"stands alone", ". Who has"},
		"mostTokens bounds it.":                                           {"mostTokens"},
		"the user who signs in":                                           nil,
		"a foreign key of the table":                                      nil,
		"most Tokens are short; a zero stands for NULL, in its own place": nil,
	} {
		if got := findIdioms(content); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}

func TestEveryIdiomHasAnAlternative(t *testing.T) {
	t.Parallel()
	for _, phrase := range findIdioms("nobody to who gives tells foreign mends stands alone the place words the given up is good once of ours is away but for mostX") {
		if insteadOf(phrase) == "" {
			t.Errorf("%q has none", phrase)
		}
	}
}

func TestTextsOfAFile(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	source := "package p\n\n// A comment\n// of two lines.\nvar x = \"a message\"\n"
	syntax, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	got := textsOf(fset, goFile{"server/p.go", syntax})
	want := []text{
		{"server/p.go", 3, true, "A comment\nof two lines.\n"},
		{"server/p.go", 5, false, `"a message"`},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
