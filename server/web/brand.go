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

// brand is the content of brand.json.
type brand struct {
	ProductName string `json:"product_name"`
	// Language is used if a browser asks for none of the available languages. The default is en.
	Language string `json:"language"`
	// Accent are the colours of buttons and links, as #rrggbb.
	Accent struct {
		Light string `json:"light"`
		Dark  string `json:"dark"`
	} `json:"accent"`
	// Logo is the name of a file in the folder static. It is shown instead of the product name.
	Logo string `json:"logo"`
	// Support is shown below each page.
	Support struct {
		URL  string `json:"url"`
		Text string `json:"text"`
	} `json:"support"`
}

// ProductName returns the name of this service as pages show it.
func (p *Pages) ProductName() string { return p.brand.ProductName }

// The background colours in static/style.css.
const (
	cardLight = "#ffffff"
	cardDark  = "#1a2029"
)

// readBrand parses brand.json. The brand it returns is usable even if there is an error.
func readBrand(data []byte) (*brand, error) {
	b := &brand{ProductName: "Latchkey", Language: "en"}
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
		faults = append(faults, errors.New("must be a single JSON object"))
	}
	if clean(b.ProductName, maxName) != b.ProductName || b.ProductName == "" {
		faults = append(faults, fmt.Errorf("product_name: must be one line of 1 to %d visible characters", maxName))
	}
	for _, c := range []struct{ name, colour, card string }{
		{"light", b.Accent.Light, cardLight}, {"dark", b.Accent.Dark, cardDark},
	} {
		if c.colour == "" {
			continue
		}
		// WCAG 2.2, 1.4.3: links and buttons are text.
		const minContrast = 4.5
		if got, err := contrast(c.colour, c.card); err != nil {
			faults = append(faults, fmt.Errorf("accent.%s: %w", c.name, err))
		} else if got < minContrast {
			faults = append(faults, fmt.Errorf("accent.%s: the contrast of %s on %s is %.1f, which is hard to read; choose a colour with at least %.1f", c.name, c.colour, c.card, got, minContrast))
		}
	}
	if u, err := url.Parse(b.Support.URL); b.Support.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "mailto") {
		faults = append(faults, errors.New("support.url: must be an http, https or mailto URL"))
	}
	if b.Support.URL != "" && b.Support.Text == "" {
		faults = append(faults, errors.New("support.text: must not be empty if support.url is set"))
	}
	return b, errors.Join(faults...)
}

// styles returns CSS with the brand's colours, to be appended to the stylesheet.
func (b *brand) styles() string {
	var s string
	if c := b.Accent.Light; c != "" {
		s += "\n:root { --accent: " + c + "; --on-accent: " + readable(c) + "; }"
	}
	dark := b.Accent.Dark
	if dark == "" && b.Accent.Light != "" {
		dark = defaultDark // otherwise the light colour above would apply in dark mode too
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

// readable returns black or white, whichever has the higher contrast to a colour; it is always at least 4.5.
func readable(colour string) string {
	white, _ := contrast(colour, "#ffffff")
	black, _ := contrast(colour, "#000000")
	if white >= black {
		return "#fff"
	}
	return "#000"
}

// contrast returns the contrast ratio of WCAG: 1 for equal colours, 21 for black on white.
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
		return 0, fmt.Errorf("%q must be a colour like #2456c6", colour)
	}
	n, err := strconv.ParseUint(colour[1:], 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%q must be a colour like #2456c6", colour)
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
