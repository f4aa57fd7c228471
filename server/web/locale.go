package web

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// message is a text with {placeholders}.
type message []segment

// segment is a piece of text, or the name of a placeholder.
type segment struct{ text, name string }

// parseMessage parses a text like "Signed in {time}". Unmatched braces are text.
func parseMessage(s string) (m message) {
	for s != "" {
		open := strings.IndexByte(s, '{')
		length := strings.IndexByte(s[max(open, 0):], '}')
		if open < 0 || length < 0 {
			return append(m, segment{text: s})
		}
		if open > 0 {
			m = append(m, segment{text: s[:open]})
		}
		m = append(m, segment{name: s[open+1 : open+length]})
		s = s[open+length+1:]
	}
	return m
}

// names returns the names of the placeholders.
func (m message) names() (names []string) {
	for _, s := range m {
		if s.name != "" {
			names = append(names, s.name)
		}
	}
	return names
}

// format replaces the placeholders; args are alternating names and values.
func (m message) format(args ...string) string {
	if len(m) == 1 && m[0].name == "" {
		return m[0].text
	}
	var b strings.Builder
	for _, s := range m {
		b.WriteString(s.text)
		for i := 0; s.name != "" && i+1 < len(args); i += 2 {
			if args[i] == s.name {
				b.WriteString(args[i+1])
			}
		}
	}
	return b.String()
}

// scopeText describes what a scope allows.
type scopeText struct {
	Title       string `json:"title"`
	Description string `json:"description"`
}

// locale holds the texts of one language.
type locale struct {
	tag      language.Tag
	messages map[string]message
	scopes   map[string]scopeText
}

// direction returns the direction of the language's script, for the attribute dir.
func (l *locale) direction() string {
	script, _ := l.tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg":
		return "rtl"
	}
	return "ltr"
}

// text returns a text; nothing for a key that there is none of.
func (l *locale) text(key string, args ...string) string { return l.messages[key].format(args...) }

// forms are the suffixes of keys whose text depends on a number (CLDR's plural categories).
var forms = map[plural.Form]string{
	plural.Zero: ".zero", plural.One: ".one", plural.Two: ".two", plural.Few: ".few", plural.Many: ".many", plural.Other: ".other",
}

// count returns the text of a key that depends on a number.
func (l *locale) count(key string, n int) string {
	m, ok := l.messages[key+forms[plural.Cardinal.MatchPlural(l.tag, n, 0, 0, 0, 0)]]
	if !ok {
		m = l.messages[key+".other"]
	}
	return m.format("n", strconv.Itoa(n))
}

// span returns a duration as text in its largest unit, rounded up so that a user who waits that long has waited enough.
func (l *locale) span(d time.Duration) string {
	up := func(unit time.Duration) int { return int((d + unit - 1) / unit) }
	switch {
	case d >= 48*time.Hour || d == 24*time.Hour:
		return l.count("duration.days", up(24*time.Hour))
	case d >= 2*time.Hour || d == time.Hour:
		return l.count("duration.hours", up(time.Hour))
	case d >= 2*time.Minute || d == time.Minute:
		return l.count("duration.minutes", up(time.Minute))
	}
	return l.count("duration.seconds", max(1, up(time.Second)))
}

func (l *locale) date(t time.Time) string {
	return l.text("date", "day", strconv.Itoa(t.Day()), "month", l.text("month."+strconv.Itoa(int(t.Month()))), "year", strconv.Itoa(t.Year()))
}

// moment is a point in time as text. The user's time zone is unknown, so recent times are relative.
type moment struct {
	Machine string // for the attribute datetime
	Full    string
	Short   string
}

func (l *locale) moment(t time.Time, short string) *moment {
	t = t.UTC()
	return &moment{
		Machine: t.Format(time.RFC3339), Short: short,
		Full: l.text("date_time", "date", l.date(t), "time", t.Format("15:04")),
	}
}

// day returns the date of t.
func (l *locale) day(t time.Time) *moment { return l.moment(t, l.date(t.UTC())) }

// ago returns t relative to now, or its date if that is more than a week ago.
func (l *locale) ago(t, now time.Time) *moment {
	var short string
	d, words := now.Sub(t), [...]string{"ago.minutes", "ago.hours", "ago.days"}
	if d < 0 {
		d, words = -d, [...]string{"in.minutes", "in.hours", "in.days"}
	}
	switch {
	case d < time.Minute: // in the future as well: another machine's clock may be ahead by as much
		short = l.text("ago.now")
	case d < time.Hour:
		short = l.count(words[0], int(d/time.Minute))
	case d < 24*time.Hour:
		short = l.count(words[1], int(d/time.Hour))
	case d < 7*24*time.Hour:
		short = l.count(words[2], int(d/(24*time.Hour)))
	default:
		short = l.text("date_on", "date", l.date(t.UTC()))
	}
	return l.moment(t, short)
}

// languages returns the tags of an Accept-Language header (RFC 9110 §12.5.4), the preferred first. Unknown tags are dropped
// without affecting the others.
func languages(header string) []language.Tag {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err == nil {
		return tags
	}
	tags = nil
	for one := range strings.SplitSeq(header, ",") {
		if known, _, err := language.ParseAcceptLanguage(one); err == nil {
			tags = append(tags, known...)
		}
	}
	return tags
}
