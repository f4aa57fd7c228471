package colour_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"latchkey/clients/colour"
)

func parse(t testing.TB, text string) colour.Colour {
	t.Helper()
	c, err := colour.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestContrast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want float64
	}{{"#000000", "#ffffff", 21}, {"#777777", "#FFFFFF", 4.48}, {"#123456", "#123456", 1}} {
		if got := parse(t, c.a).Contrast(parse(t, c.b)); got < c.want-.01 || got > c.want+.01 {
			t.Errorf("%s on %s: %v", c.a, c.b, got)
		}
	}
	for _, bad := range []string{"", "#", "red", "#12345", "#1234567", "#12345g", "#+12345", "#１２", "#0x1234", "#12_345", strings.Repeat("#", 1<<16), "#ff\x00ff\xff"} {
		if c, err := colour.Parse(bad); err == nil {
			t.Errorf("%.20q is %s", bad, c)
		} else if len(err.Error()) > 300 {
			t.Errorf("a message of %d bytes", len(err.Error()))
		}
	}
}

// A colour that is refused comes with a figure and a proposal, which is not refused.
func TestWhatIsProposedIsReadable(t *testing.T) {
	t.Parallel()
	if err := colour.Light().Check("#ffee00"); err == nil || !strings.Contains(err.Error(), "#ffee00 on #ffffff is 1.20") || !strings.Contains(err.Error(), "at least 4.5, such as #") {
		t.Errorf("yellow on white: %v", err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c := colour.Colour{R: uint8(random.Uint32()), G: uint8(random.Uint32()), B: uint8(random.Uint32())}
		for name, s := range map[string]colour.Scheme{"light": colour.Light(), "dark": colour.Dark()} {
			proposed := s.Readable(c)
			if err := s.Check(proposed.String()); err != nil {
				t.Fatalf("%s: %s is proposed for %s: %v", name, proposed, c, err)
			}
			if s.Check(c.String()) == nil && proposed != c {
				t.Fatalf("%s: %s is proposed for %s, which can be read", name, proposed, c)
			}
			if got := proposed.Contrast(s.OnAccent); got < colour.MinText {
				t.Fatalf("%s: text on %s has %.2f", name, proposed, got)
			}
		}
	}
}
