package input

import (
	"slices"
	"strings"
	"unicode"

	"latchkey/storage"
)

// CheckChosen returns an *Error for a username that people may not choose by themselves, though an operator may give it: it must not pass
// for another one on a page or in an application. These are the characters of Django's usernames; the letters are of one script, or of those that are
// written together (UTS #39 §5.2); and an address as a name is the one that the person has proved.
func CheckChosen(username, provedAddress string) error {
	name := Username(username)
	switch {
	case name == "" || !isUsername(name):
		return CheckNames(name, "")
	case strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.In(r, unicode.L, unicode.M, unicode.Nd) && !strings.ContainsRune("_@.+-", r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) ||
			unicode.Is(unicode.Variation_Selector, r)
	}):
		return &Error{"username", "has characters other than letters, digits and _ @ . + -"}
	case !writtenTogether(name):
		return &Error{"username", "has letters of several scripts, so that it may look like another name"}
	case strings.Contains(name, "@") && storage.FoldASCII(name) != storage.FoldASCII(Username(provedAddress)):
		return &Error{"username", "is another address than the one that was confirmed"}
	}
	return nil
}

// written are the scripts that are written together besides those that are alone.
var written = [...][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// writtenTogether reports whether all letters are of one script, or of scripts that are written together.
func writtenTogether(name string) bool {
	var scripts []string
	for _, r := range name {
		for script, table := range unicode.Scripts {
			if script != "Common" && script != "Inherited" && unicode.Is(table, r) && !slices.Contains(scripts, script) {
				scripts = append(scripts, script)
			}
		}
	}
	if len(scripts) < 2 {
		return true
	}
	for _, together := range written {
		if !slices.ContainsFunc(scripts, func(s string) bool { return !slices.Contains(together, s) }) {
			return true
		}
	}
	return false
}
