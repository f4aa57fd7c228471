// Package qr draws QR codes for pages, as paths of SVG images.
package qr

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// Path returns a QR code as the data of an SVG path in an image of size × size, with the quiet zone of four modules that readers need.
func Path(text string) (path string, size int, err error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", 0, fmt.Errorf("QR code: %w", err)
	}
	const quiet = 4
	n := code.Bounds().Dx()
	var b strings.Builder
	for y := range n {
		for x := 0; x < n; x++ {
			begin := x
			for x < n && dark(code.At(x, y).RGBA()) {
				x++
			}
			if x > begin {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", begin+quiet, y+quiet, x-begin, x-begin)
			}
		}
	}
	return b.String(), n + 2*quiet, nil
}

func dark(r, _, _, _ uint32) bool { return r < 0x8000 }
