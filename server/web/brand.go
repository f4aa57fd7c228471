package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
)

// Brand is what brand.json says.
type Brand struct {
	ProductName string `json:"product_name"`
	// Language is that of people who ask for none that is there; default en.
	Language string `json:"language"`
	// Accent are the colours of buttons and links, as #rrggbb.
	Accent struct {
		Light string `json:"light"`
		Dark  string `json:"dark"`
	} `json:"accent"`
	// Logo is a file of the folder static; it stands in the place of the name.
	Logo string `json:"logo"`
	// Support is shown below each page.
	Support struct {
		URL  string `json:"url"`
		Text string `json:"text"`
	} `json:"support"`
}

// The colours behind the accent, of static/style.css.
const (
	cardLight = "#ffffff"
	cardDark  = "#1a2029"
)

// readBrand reads brand.json. The brand that it gives is usable in any case.
func readBrand(data []byte) (*Brand, error) {
	b := &Brand{ProductName: "Latchkey", Language: "en"}
	if data == nil {
		return b, nil
	}
	var faults []error
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(b); err != nil {
		return b, err
	}
	if _, err := dec.Token(); err != io.EOF {
		faults = append(faults, errors.New("there is more than one object"))
	}
	if clean(b.ProductName, maxName) != b.ProductName || b.ProductName == "" {
		faults = append(faults, fmt.Errorf("product_name: not one line of 1 to %d visible characters", maxName))
	}
	for _, c := range []struct{ name, colour, card string }{
		{"light", b.Accent.Light, cardLight}, {"dark", b.Accent.Dark, cardDark},
	} {
		if c.colour == "" {
			continue
		}
		// WCAG 2.2, 1.4.3: links and buttons are text.
		const least = 4.5
		if got, err := contrast(c.colour, c.card); err != nil {
			faults = append(faults, fmt.Errorf("accent.%s: %w", c.name, err))
		} else if got < least {
			faults = append(faults, fmt.Errorf("accent.%s: %s on %s has a contrast of %.1f, which is hard to read; it needs %.1f", c.name, c.colour, c.card, got, least))
		}
	}
	if u, err := url.Parse(b.Support.URL); b.Support.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "mailto") {
		faults = append(faults, errors.New("support.url: not an http, https or mailto address"))
	}
	if b.Support.URL != "" && b.Support.Text == "" {
		faults = append(faults, errors.New("support.text: a link needs words"))
	}
	return b, errors.Join(faults...)
}

// styles are the brand's colours, to stand behind the stylesheet.
func (b *Brand) styles() string {
	var s string
	if c := b.Accent.Light; c != "" {
		s += "\n:root { --accent: " + c + "; --on-accent: " + readable(c) + "; }"
	}
	dark := b.Accent.Dark
	if dark == "" && b.Accent.Light != "" {
		dark = defaultDark // the light colour is ruled by what follows it, also in the dark
	}
	if dark != "" {
		s += "\n@media (prefers-color-scheme: dark) { :root { --accent: " + dark + "; --on-accent: " + readable(dark) + "; } }"
	}
	if s != "" {
		s += "\n"
	}
	return s
}

// defaultDark is the dark accent of static/style.css.
const defaultDark = "#8fb3ff"

// readable is black or white, whichever is better read on a colour: one of them always has a contrast of 4.5.
func readable(colour string) string {
	white, _ := contrast(colour, "#ffffff")
	black, _ := contrast(colour, "#000000")
	if white >= black {
		return "#fff"
	}
	return "#000"
}

// contrast is WCAG's: 1 for the same colour, 21 for black on white.
func contrast(a, b string) (float64, error) {
	x, err := luminance(a)
	if err != nil {
		return 0, err
	}
	y, err := luminance(b)
	if err != nil {
		return 0, err
	}
	return (max(x, y) + 0.05) / (min(x, y) + 0.05), nil
}

func luminance(colour string) (float64, error) {
	if len(colour) != 7 || colour[0] != '#' {
		return 0, fmt.Errorf("%q is not a colour like #2456c6", colour)
	}
	n, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a colour like #2456c6", colour)
	}
	linear := func(c uint64) float64 {
		x := float64(c&0xff) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n), nil
}
