package colour

import "fmt"

// MinText and MinControl are the least contrast of text (WCAG 2.2, 1.4.3), and that of the borders of controls and of what shows the focus (1.4.11).
const (
	MinText    = 4.5
	MinControl = 3.0
)

// Scheme is one of the two colour schemes of the pages.
type Scheme struct {
	// Card is the background of the pages' content: the colour --card of the stylesheet.
	Card Colour
	// OnAccent is the colour of text on a background of the accent: --on-accent.
	OnAccent Colour
	// end is where colours that can't be read are moved to: away from the card.
	end Colour
}

var (
	black = Colour{}
	white = Colour{255, 255, 255}
)

// Light returns the light scheme.
func Light() Scheme { return Scheme{Card: white, OnAccent: white, end: black} }

// Dark returns the dark scheme.
func Dark() Scheme { return Scheme{Card: Colour{0x1a, 0x20, 0x29}, OnAccent: black, end: white} }

// Check returns an error for a text that is no colour, and for a colour in which text on the card is hard to read. The error has the figure, and
// proposes a colour. Text on a background of a colour that passes can be read too: it is white in the light scheme, black in the dark one.
func (s Scheme) Check(text string) error {
	c, err := Parse(text)
	if err != nil {
		return err
	}
	if got := c.Contrast(s.Card); got < MinText {
		return fmt.Errorf("the contrast of %s on %s is %.2f, which is hard to read; choose a colour with at least %.1f, such as %s", c, s.Card, got, MinText, s.Readable(c))
	}
	return nil
}

// Readable returns the colour itself if it passes [Scheme.Check], else the nearest that does on the way to black, or to white in the dark scheme.
func (s Scheme) Readable(c Colour) Colour {
	const steps = 256
	for i := range steps {
		if mixed := c.Mix(s.end, float64(i)/steps); mixed.Contrast(s.Card) >= MinText {
			return mixed
		}
	}
	return s.end
}
