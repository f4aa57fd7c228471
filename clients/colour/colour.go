package colour

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Colour is an opaque colour of sRGB.
type Colour struct{ R, G, B uint8 }

// Parse returns the colour that a text like #2456c6 names; the # may be left out, since it begins a comment in shells and in YAML.
func Parse(text string) (Colour, error) {
	digits := strings.TrimPrefix(text, "#")
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || len(digits) != 6 {
		return Colour{}, fmt.Errorf("%.40q must be a colour like #2456c6", text)
	}
	return Colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

// String returns the colour like #2456c6.
func (c Colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// Mix returns a mixture of both colours, with a share of the other one from 0 to 1: color-mix() of CSS, in srgb.
func (c Colour) Mix(other Colour, share float64) Colour {
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-share) + float64(b)*share)) }
	return Colour{mix(c.R, other.R), mix(c.G, other.G), mix(c.B, other.B)}
}

// Contrast returns the contrast ratio of both colours: 1 for equal ones, 21 for black on white.
func (c Colour) Contrast(other Colour) float64 {
	x, y := c.luminance(), other.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance returns the relative luminance: 0 for black, 1 for white.
func (c Colour) luminance() float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}
