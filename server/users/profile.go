package users

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
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
	maxAttributes = 8 << 10 // bytes of JSON
	maxDepth      = 8
)

var tooDeep = fmt.Sprintf("are nested deeper than %d levels", maxDepth)

// checkProfile returns an *InputError for what can't be kept of a profile, and puts the rest into the form in which it is kept.
func checkProfile(p *storage.UserProfile) error {
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
			return &InputError{f.name, problem}
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
			return nil, &InputError{"groups", "have an empty name"}
		}
		if problem := checkLine(g); problem != "" {
			return nil, &InputError{"group", fmt.Sprintf("%.60q %s", g, problem)}
		}
		if !slices.Contains(kept, g) {
			kept = append(kept, g)
		}
	}
	text, err := json.Marshal(kept)
	switch {
	case err != nil:
		return nil, fmt.Errorf("groups: %w", err)
	case len(kept) > maxGroups:
		return nil, &InputError{"groups", fmt.Sprintf("are more than %d", maxGroups)}
	case len(text) > maxGroupBytes:
		return nil, &InputError{"groups", fmt.Sprintf("are longer than %d bytes together: tokens would not fit into headers", maxGroupBytes)}
	}
	return kept, nil
}

// cleanAttributes returns the attributes as compact JSON; nil for none. Their order is that of their names.
func cleanAttributes(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	refuse := func(format string, args ...any) (json.RawMessage, error) {
		return nil, &InputError{"attributes", fmt.Sprintf(format, args...)}
	}
	if len(raw) > maxAttributes {
		return refuse("are longer than %d bytes", maxAttributes)
	}
	if !utf8.Valid(raw) {
		return refuse("are not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil {
		return refuse(`are not a JSON object: write them like {"tenant": "acme"}`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse("have text after the JSON object")
	}
	if problem := checkJSON(object, 1); problem != "" {
		return refuse("%s", problem)
	}
	if len(object) == 0 {
		return nil, nil
	}
	text, err := encode(object)
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	return text, nil
}

// encode writes JSON without the escapes for HTML, which would make it longer than what was given.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// checkJSON returns what is wrong with a value of the attributes: what a database or an application could not read again.
func checkJSON(value any, depth int) string {
	switch v := value.(type) {
	case map[string]any:
		if depth > maxDepth {
			return tooDeep
		}
		for name, member := range v {
			if problem := checkMember(name, member, depth); problem != "" {
				return problem
			}
		}
	case []any:
		if depth > maxDepth {
			return tooDeep
		}
		for _, member := range v {
			if problem := checkJSON(member, depth+1); problem != "" {
				return problem
			}
		}
	case string:
		if !form.IsText(v) || strings.ContainsRune(v, utf8.RuneError) {
			return "have a text with a NUL or half a surrogate pair"
		}
	case json.Number:
		if f, err := v.Float64(); err != nil || math.IsInf(f, 0) || len(v) > 40 {
			return fmt.Sprintf("have the number %.40s, which most applications can't read", v)
		}
	}
	return ""
}

func checkMember(name string, member any, depth int) string {
	if name == "" || len(name) > maxText || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsRune(name, utf8.RuneError) {
		return fmt.Sprintf("have the name %.60q: use 1 to %d bytes without control characters", name, maxText)
	}
	return checkJSON(member, depth+1)
}
