package logo

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
)

// maxSide bounds width and height: a small file may decode to gigabytes in a browser.
const maxSide = 2048

// decoders read the size of the pictures that are shown, by what http.DetectContentType calls them.
var decoders = map[string]func(io.Reader) (image.Config, error){
	"image/png":  png.DecodeConfig,
	"image/jpeg": jpeg.DecodeConfig,
	"image/gif":  gif.DecodeConfig,
	"image/webp": decodeWebP,
}

// sniff returns the media type of a picture by its bytes, whatever its server says; empty if it must not be shown.
func sniff(body []byte) string {
	kind := http.DetectContentType(body)
	decode, ok := decoders[kind]
	if !ok {
		return ""
	}
	c, err := decode(bytes.NewReader(body))
	if err != nil || c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide {
		return ""
	}
	return kind
}

// decodeWebP reads the size from the first chunk of a WebP file (RFC 9649 §2.5 to §2.7).
func decodeWebP(r io.Reader) (c image.Config, err error) {
	var head [30]byte // "RIFF", size, "WEBP", chunk name, chunk size, and the beginning of the chunk
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return c, err
	}
	le, chunk := binary.LittleEndian, head[20:]
	switch string(head[12:16]) {
	case "VP8X": // flags, reserved, then width and height less one in 24 bits each
		c.Width = int(le.Uint32(chunk[3:])>>8) + 1
		c.Height = int(le.Uint32(chunk[6:])>>8) + 1
	case "VP8L": // signature, then width and height less one in 14 bits each
		size := le.Uint32(chunk[1:])
		c.Width = int(size&0x3fff) + 1
		c.Height = int(size>>14&0x3fff) + 1
	case "VP8 ": // frame tag, start code, then width and height in 14 bits, 2 bits of scaling each
		c.Width = int(le.Uint16(chunk[6:]) & 0x3fff)
		c.Height = int(le.Uint16(chunk[8:]) & 0x3fff)
	default:
		return c, image.ErrFormat
	}
	return c, nil
}
