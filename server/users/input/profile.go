package input

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"latchkey/server/internal/form"
	"latchkey/storage"
)

// What a profile holds at most. It goes into tokens, which travel in headers.
const (
	maxText       = 255 // characters of a name, and of a group
	maxPicture    = 2048
	maxGroups     = 500
	maxGroupBytes = 8 << 10 // of all groups together, as JSON
)

// CheckProfile returns an *Error for what can't be kept of a profile, and puts the rest into the form in which it is kept.
func CheckProfile(p *storage.UserProfile) error {
	for _, f := range []struct {
		name  string
		text  string
		check func(string) string
	}{
		{"name", p.Name, checkLine},
		{"given name", p.GivenName, checkLine},
		{"family name", p.FamilyName, checkLine},
		{"picture", p.Picture, checkPicture},
		{"locale", p.Locale, checkLocale},
		{"zoneinfo", p.ZoneInfo, checkZone},
	} {
		if f.text == "" {
			continue
		}
		if problem := f.check(f.text); problem != "" {
			return &Error{f.name, problem}
		}
	}
	var err error
	if p.Groups, err = cleanGroups(p.Groups); err == nil {
		p.Attributes, err = cleanAttributes(p.Attributes)
	}
	return err
}

// checkLine returns what is wrong with a line of text that is shown to people.
func checkLine(text string) string {
	switch {
	case !form.IsText(text):
		return "has a NUL or is not UTF-8"
	case utf8.RuneCountInString(text) > maxText:
		return fmt.Sprintf("has more than %d characters", maxText)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		return "has a control character"
	}
	return ""
}

func checkPicture(text string) string {
	u, err := url.Parse(text)
	switch {
	case len(text) > maxPicture:
		return fmt.Sprintf("is longer than %d bytes", maxPicture)
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil ||
		!form.IsText(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }):
		return "is not the URL of an image: write it like https://example.com/alice.png"
	}
	return ""
}

// checkLocale accepts BCP 47 tags, also with an underscore, which OpenID Connect Core §5.1 knows.
func checkLocale(text string) string {
	var unknown language.ValueError // well-formed, but not in the registry
	if _, err := language.Parse(text); len(text) > 35 || err != nil && !errors.As(err, &unknown) {
		return "is not a language tag: write it like en or de-AT"
	}
	return ""
}

// checkZone accepts what has the form of a name of the IANA time zone database.
func checkZone(text string) string {
	for part := range strings.SplitSeq(text, "/") {
		odd := func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_+-", r)
		}
		if len(text) > 64 || part == "" || strings.ContainsFunc(part, odd) {
			return "is not the name of a time zone: write it like Europe/Vienna"
		}
	}
	return ""
}

// cleanGroups returns the groups, each once.
func cleanGroups(groups []string) ([]string, error) {
	var kept []string
	for _, g := range groups {
		if g == "" {
			return nil, &Error{"groups", "have an empty name"}
		}
		if problem := checkLine(g); problem != "" {
			return nil, &Error{"group", fmt.Sprintf("%.60q %s", g, problem)}
		}
		if !slices.Contains(kept, g) {
			kept = append(kept, g)
		}
	}
	text, _ := json.Marshal(kept) // texts
	switch {
	case len(kept) > maxGroups:
		return nil, &Error{"groups", fmt.Sprintf("are more than %d", maxGroups)}
	case len(text) > maxGroupBytes:
		return nil, &Error{"groups", fmt.Sprintf("are longer than %d bytes together: tokens would not fit into headers", maxGroupBytes)}
	}
	return kept, nil
}
