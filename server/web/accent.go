package web

import (
	"fmt"
	"regexp"

	"latchkey/clients/colour"
	"latchkey/server/web/look"
)

// accents are the colours of buttons and links in the two schemes, as #rrggbb; both may be empty.
type accents struct{ light, dark string }

// Stylesheets of accents have the colours in their names, so that they can be served without looking for anything, and kept for ever. No
// page needs an inline style, which the Content-Security-Policy forbids.
var accentsFile = regexp.MustCompile(`^accent\.([0-9a-f]{6})\.([0-9a-f]{6})\.css$`)

// parseAccents returns the accents of a file's name. Those that can't be read on the pages are refused.
func parseAccents(name string) (a accents, ok bool) {
	m := accentsFile.FindStringSubmatch(name)
	if m == nil {
		return a, false
	}
	a = accents{"#" + m[1], "#" + m[2]}
	return a, a.readable()
}

func (a accents) readable() bool {
	return colour.Light().Check(a.light) == nil && colour.Dark().Check(a.dark) == nil
}

// file returns the name of the stylesheet.
func (a accents) file() string { return fmt.Sprintf("accent.%s.%s.css", a.light[1:], a.dark[1:]) }

// complete returns the accents with a dark one: a light accent brings one of the same hue.
func (a accents) complete() accents {
	if c, err := colour.Parse(a.light); err == nil && a.dark == "" {
		a.dark = colour.Dark().Readable(c).String()
	}
	return a
}

// styles returns the stylesheet of the accents.
func (a accents) styles() (s string) {
	a = accents{normal(a.light), normal(a.dark)}.complete()
	if a.light != "" {
		s += "\n:root { --accent: " + a.light + "; --on-accent: " + colour.Light().OnAccent.String() + "; }\n"
	}
	if a.dark != "" {
		s += "\n@media (prefers-color-scheme: dark) { :root { --accent: " + a.dark + "; --on-accent: " + colour.Dark().OnAccent.String() + "; } }\n"
	}
	return s
}

// normal returns the colour in the form of stylesheets; empty if it is none.
func normal(text string) string {
	c, err := colour.Parse(text)
	if err != nil {
		return ""
	}
	return c.String()
}

// The accents of static/style.css.
const (
	defaultLight = "#2456c6"
	defaultDark  = "#8fb3ff"
)

// accentsOf returns the accents of the pages of a client, and whether it has its own. One that the client has not comes from the
// service, as does one that is not readable: the registry stores none.
func (p *Pages) accentsOf(l look.Client) (a accents, own bool) {
	passed := func(text string, s colour.Scheme) string {
		if s.Check(text) != nil {
			return ""
		}
		return normal(text)
	}
	a = accents{passed(l.Accent, colour.Light()), passed(l.AccentDark, colour.Dark())}
	if a == (accents{}) {
		return a, false
	}
	a = a.complete()
	for _, light := range []string{p.brand.Accent.Light, defaultLight} {
		if a.light == "" {
			a.light = passed(light, colour.Light())
		}
	}
	return a, true
}
