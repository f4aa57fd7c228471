package drf

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// utf16Codec is UTF-16 of a known byte order.
type utf16Codec struct {
	order binary.ByteOrder
}

func (c utf16Codec) name() string {
	if c.order == binary.ByteOrder(binary.LittleEndian) {
		return "utf-16-le"
	}
	return "utf-16-be"
}

func (c utf16Codec) decode(dst, b []byte, i int) ([]byte, *fault) {
	for ; i+2 <= len(b); i += 2 {
		r := rune(c.order.Uint16(b[i:]))
		if utf16.IsSurrogate(r) {
			if r >= 0xdc00 {
				return dst, &fault{i, i + 2, "illegal encoding", false}
			}
			if i+4 > len(b) {
				return dst, &fault{i, len(b), "unexpected end of data", true}
			}
			if r = utf16.DecodeRune(r, rune(c.order.Uint16(b[i+2:]))); r == utf8.RuneError {
				return dst, &fault{i, i + 2, "illegal UTF-16 surrogate", false}
			}
			i += 2
		}
		dst = utf8.AppendRune(dst, r)
	}
	if i < len(b) {
		return dst, &fault{i, len(b), "truncated data", true}
	}
	return dst, nil
}

// utf32Codec is UTF-32 of a known byte order.
type utf32Codec struct {
	order binary.ByteOrder
}

func (c utf32Codec) name() string {
	if c.order == binary.ByteOrder(binary.LittleEndian) {
		return "utf-32-le"
	}
	return "utf-32-be"
}

func (c utf32Codec) decode(dst, b []byte, i int) ([]byte, *fault) {
	for ; i+4 <= len(b); i += 4 {
		switch n := c.order.Uint32(b[i:]); {
		case n > utf8.MaxRune:
			return dst, &fault{i, i + 4, "code point not in range(0x110000)", false}
		case 0xd800 <= n && n <= 0xdfff:
			return dst, &fault{i, i + 4, "code point in surrogate code point range(0xd800, 0xe000)", false}
		default:
			dst = utf8.AppendRune(dst, rune(n))
		}
	}
	if i < len(b) {
		return dst, &fault{i, len(b), "truncated data", true}
	}
	return dst, nil
}

// markedCodec is UTF-16 or UTF-32 whose byte order its first character tells. Without one it is little-endian, as on the
// machines that Python runs on.
type markedCodec struct {
	codec // little-endian
	big   codec
	label string // in the words of the error
	size  int
}

func (c markedCodec) behindMark(b []byte) (inner codec, text []byte, start int) {
	if len(b) < c.size {
		return c.codec, b, 0
	}
	for _, inner := range []codec{c.codec, c.big} {
		if first, _ := inner.decode(nil, b[:c.size], 0); string(first) == "\ufeff" {
			return inner, b, c.size
		}
	}
	return c.codec, b, 0
}
