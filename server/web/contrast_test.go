package web

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"latchkey/clients/colour"
	"latchkey/server/web/look"
)

// The colours of the stylesheet, as it writes them: what text has, on which backgrounds it may be, and what controls are told by. A colour
// that is new in the stylesheet has to be added here: see TestEveryColourOfTheStylesheetIsChecked.
var (
	card, around, field = "var(--card)", "var(--page)", "var(--field)"
	pressed             = "color-mix(in srgb, var(--text) 7%, transparent)" // a button under the pointer, on what it is on
	mark                = "color-mix(in srgb, var(--accent) 12%, var(--card))"
	primary             = "var(--accent)"
	primaryPressed      = "color-mix(in srgb, var(--accent) 88%, var(--text))"
	notes               = []string{"var(--warn-back)", "var(--bad-back)", "var(--good-back)"}

	texts = map[string][]string{
		"var(--text)":      append([]string{card, around, field, pressed, mark}, notes...),
		"var(--soft)":      append([]string{card, around, field}, notes...), // small print, placeholders, the names of facts
		"var(--accent)":    {card},                                          // links, but those below a page
		"var(--on-accent)": {primary, primaryPressed},
		"var(--warn)":      {card, "var(--warn-back)"},
		"var(--bad)":       {card, "var(--bad-back)", pressed}, // of a button that removes something
		"var(--good)":      {"var(--good-back)"},
	}
	controls = map[string][]string{ // borders of fields and buttons, the ring of the focus, ticks
		"var(--edge)":   {card, field},
		"var(--accent)": {card, around},
		"var(--bad)":    {card, field},
	}
)

// colours are the values of the variables of a stylesheet in one scheme.
type colours map[string]colour.Colour

var (
	rootBlock   = regexp.MustCompile(`:root \{([^}]*)\}`)
	declaration = regexp.MustCompile(`(--[a-z-]+): (#[0-9a-f]+)`)
	mixture     = regexp.MustCompile(`^color-mix\(in srgb, (.+) (\d+)%, (.+)\)$`)
)

// variables returns the colours of stylesheets in both schemes: later ones replace earlier ones.
func variables(t *testing.T, sheets ...string) map[string]colours {
	t.Helper()
	light, dark := colours{}, colours{}
	set := func(into colours, block string) {
		for _, m := range declaration.FindAllStringSubmatch(block, -1) {
			into[m[1]] = parseColour(t, m[2])
		}
	}
	for _, sheet := range sheets {
		for _, at := range rootBlock.FindAllStringSubmatchIndex(sheet, -1) {
			block := sheet[at[2]:at[3]]
			before := sheet[:at[0]]
			if i := strings.LastIndex(before, "@media"); i >= 0 && strings.Count(before[i:], "{") > strings.Count(before[i:], "}") {
				set(dark, block)
				continue
			}
			set(light, block)
			set(dark, block)
		}
	}
	return map[string]colours{"light": light, "dark": dark}
}

func parseColour(t *testing.T, text string) colour.Colour {
	t.Helper()
	if len(text) == 4 {
		text = "#" + strings.Repeat(text[1:2], 2) + strings.Repeat(text[2:3], 2) + strings.Repeat(text[3:4], 2)
	}
	c, err := colour.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// value returns the colour that the stylesheet means on a background.
func (v colours) value(t *testing.T, text string, behind colour.Colour) colour.Colour {
	t.Helper()
	if m := mixture.FindStringSubmatch(text); m != nil {
		share, _ := strconv.ParseFloat(m[2], 64)
		return v.value(t, m[3], behind).Mix(v.value(t, m[1], behind), share/100)
	}
	if text == "transparent" {
		return behind
	}
	c, ok := v[strings.TrimSuffix(strings.TrimPrefix(text, "var("), ")")]
	if !ok {
		t.Fatalf("%q is no colour", text)
	}
	return c
}

// hardToRead returns the combinations whose contrast is too low.
func (v colours) hardToRead(t *testing.T) (found []string) {
	t.Helper()
	check := func(pairs map[string][]string, min float64) {
		for _, text := range slices.Sorted(maps.Keys(pairs)) {
			for _, background := range pairs[text] {
				behind := v.value(t, background, v.value(t, card, colour.Colour{}))
				if got := v.value(t, text, behind).Contrast(behind); got < min {
					found = append(found, fmt.Sprintf("%s on %s: %.2f, less than %.1f", text, background, got, min))
				}
			}
		}
	}
	check(texts, colour.MinText)
	check(controls, colour.MinControl)
	return found
}

// stylesheet returns the stylesheet as browsers get it.
func stylesheet(p *Pages) string { return string(p.files["style.css"].data) }

func random(r *rand.Rand) colour.Colour {
	n := r.Uint32()
	return colour.Colour{R: uint8(n), G: uint8(n >> 8), B: uint8(n >> 16)}
}

// WCAG 2.2 AA: 4.5 for text (1.4.3), 3 for controls and the focus (1.4.11); issue 14, point 7. The accents are those that are shipped, those that can
// only just be read, and others that are accepted: of the service, and of a client.
func TestNoCombinationOfColoursIsHardToRead(t *testing.T) {
	t.Parallel()
	shipped, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	report := func(what string, sheets ...string) {
		t.Helper()
		for scheme, v := range variables(t, sheets...) {
			for _, fault := range v.hardToRead(t) {
				t.Errorf("%s, %s: %s", what, scheme, fault)
			}
		}
	}
	report("as shipped", stylesheet(shipped))
	r := rand.New(rand.NewPCG(14, 7))
	for range 150 {
		l, d := random(r), random(r)
		light := colour.Light().Readable(l).String()
		dark := colour.Dark().Readable(d).String()
		for _, a := range []accents{{light, dark}, {light, ""}, {"", dark}} {
			report(fmt.Sprintf("service %+v", a), stylesheet(shipped), a.styles())
			of, own := shipped.accentsOf(look.Client{Accent: a.light, AccentDark: a.dark})
			if !own {
				t.Fatalf("%+v is refused", a)
			}
			if parsed, ok := parseAccents(of.file()); !ok || parsed != of {
				t.Fatalf("%s is not the name of a stylesheet", of.file())
			}
			report(fmt.Sprintf("client %+v", a), stylesheet(shipped), of.styles())
		}
	}
	// A colour that is refused by configuration would be found here: the test can fail.
	if v := variables(t, stylesheet(shipped), ":root { --accent: #ffee00; }")["light"]; len(v.hardToRead(t)) == 0 {
		t.Error("yellow links on white pass")
	}
}

func TestEveryColourOfTheStylesheetIsChecked(t *testing.T) {
	t.Parallel()
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	backgrounds := map[string]bool{"transparent": true}
	for _, list := range texts {
		for _, b := range list {
			backgrounds[b] = true
		}
	}
	// What separates parts of a page needs no contrast: nothing is told by it.
	decoration := []string{"var(--line)", "#0000000d", "#0000000f"}
	for _, m := range regexp.MustCompile(`(?m)(?:^|[\s;{])([a-z-]+): ([^;{}]+)`).FindAllStringSubmatch(stylesheet(p), -1) {
		property, value := m[1], strings.TrimSpace(m[2])
		switch {
		case property == "color" && value != "inherit":
			if texts[value] == nil {
				t.Errorf("text in %s is not checked", value)
			}
		case property == "background":
			if !backgrounds[value] {
				t.Errorf("text on %s is not checked", value)
			}
		case strings.HasPrefix(property, "border"), property == "outline", property == "accent-color":
			for _, c := range regexp.MustCompile(`var\(--[a-z-]+\)|#[0-9a-f]+|color-mix`).FindAllString(value, -1) {
				if controls[c] == nil && !slices.Contains(decoration, c) {
					t.Errorf("%s in %s is not checked", property, c)
				}
			}
		}
	}
	v := variables(t, stylesheet(p))
	for scheme, s := range map[string]colour.Scheme{"light": colour.Light(), "dark": colour.Dark()} {
		if v[scheme]["--card"] != s.Card {
			t.Errorf("%s: the card is %s; accents are checked on %s", scheme, v[scheme]["--card"], s.Card)
		}
	}
	if v["light"]["--accent"].String() != defaultLight {
		t.Errorf("the accent is %s", v["light"]["--accent"])
	}
}
