package drf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// codec decodes bytes as one of Python's text codecs does.
type codec struct {
	// name is the one in Python's error messages.
	name string
	// next decodes the first character of b, which isn't empty. If there is none it returns the reason, and in size how many bytes
	// Python replaces by one U+FFFD.
	next func(b []byte) (r rune, size int, reason string)
	// signed: the text may begin with a byte order mark (Python's utf-8-sig).
	signed bool
	// marked: a byte order mark selects the byte order (UTF-16).
	marked bool
}

var (
	utf8Codec    = codec{name: "utf-8", next: nextUTF8}
	asciiCodec   = codec{name: "ascii", next: nextASCII}
	latin1Codec  = codec{name: "latin-1", next: func(b []byte) (rune, int, string) { return rune(b[0]), 1, "" }}
	utf16LECodec = codec{name: "utf-16-le", next: nextUTF16(binary.LittleEndian)}
	utf16BECodec = codec{name: "utf-16-be", next: nextUTF16(binary.BigEndian)}
)

// charsetCodec returns the codec of a charset parameter, by Python's names for it. Django ignores a charset that it doesn't know,
// so any other is read as UTF-8 (docs/divergences.md).
func charsetCodec(charset string) codec {
	c := utf8Codec
	switch normalize(charset) {
	case "utf8sig":
		c.signed = true
	case "ascii", "646", "ansix341968", "ansix341986", "cp367", "csascii", "ibm367", "iso646us", "iso646irv1991", "isoir6",
		"us", "usascii":
		c = asciiCodec
	case "latin1", "8859", "cp819", "csisolatin1", "ibm819", "iso8859", "iso88591", "iso885911987", "isoir100", "l1", "latin":
		c = latin1Codec
	case "utf16", "u16":
		c = utf16LECodec // without a mark: the byte order of the machines that Python runs on
		c.marked = true
	case "utf16le", "unicodelittleunmarked":
		c = utf16LECodec
	case "utf16be", "unicodebigunmarked":
		c = utf16BECodec
	}
	return c
}

// normalize makes the spellings that Python accepts for one name equal.
func normalize(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, name)
}

// strict returns bytes.decode(encoding) and reports whether it succeeds.
func (c codec) strict(b []byte) (string, bool) {
	c, b, pos := c.skipMark(b)
	text, pos, _, _ := c.decode(nil, b, pos)
	return string(text), pos == len(b)
}

// replace returns bytes.decode(encoding, "replace").
func (c codec) replace(b []byte) string {
	c, b, pos := c.skipMark(b)
	var text []byte
	for {
		var size int
		text, pos, size, _ = c.decode(text, b, pos)
		if pos == len(b) {
			return string(text)
		}
		text = utf8.AppendRune(text, utf8.RuneError)
		pos += size
	}
}

// stream returns what a Python StreamReader reads. It drops a character that is cut off at the end, and needs a byte order mark
// for UTF-16. The error has the text of Python's.
func (c codec) stream(b []byte) (string, error) {
	inner, b, start := c.skipMark(b)
	text, pos, size, reason := inner.decode(nil, b, start)
	switch {
	case pos < len(b) && reason != truncated && reason != endOfData:
		return "", decodeError(inner.name, b[:pos+size], pos, reason)
	case c.marked && start == 0 && pos >= 2:
		return "", errors.New("UTF-16 stream does not start with BOM")
	}
	return string(text), nil
}

// skipMark returns the codec that a byte order mark selects, and where the text begins. Python counts the mark of UTF-16
// in the positions of its errors, and not that of UTF-8.
func (c codec) skipMark(b []byte) (inner codec, text []byte, start int) {
	text = b
	switch s := string(b[:min(len(b), 3)]); {
	case c.signed && s == "\xef\xbb\xbf":
		text = b[3:]
	case c.marked && strings.HasPrefix(s, "\xff\xfe"):
		return utf16LECodec, b, 2
	case c.marked && strings.HasPrefix(s, "\xfe\xff"):
		return utf16BECodec, b, 2
	}
	return c, text, 0
}

// decode appends the text of b from pos on to dst, up to the end or to the first bytes that aren't text. Then end is before these,
// size is how many they are, and reason says what is wrong.
func (c codec) decode(dst, b []byte, pos int) (text []byte, end, size int, reason string) {
	if dst == nil {
		dst = make([]byte, 0, len(b))
	}
	if c.name == utf8Codec.name && utf8.Valid(b[pos:]) {
		return append(dst, b[pos:]...), len(b), 0, ""
	}
	for pos < len(b) {
		r, size, reason := c.next(b[pos:])
		if reason != "" {
			return dst, pos, size, reason
		}
		dst = utf8.AppendRune(dst, r)
		pos += size
	}
	return dst, pos, 0, ""
}

// decodeError has the text of a UnicodeDecodeError about the last bytes of b, from start on.
func decodeError(name string, b []byte, start int, reason string) error {
	if end := len(b) - 1; end > start {
		return fmt.Errorf("'%s' codec can't decode bytes in position %d-%d: %s", name, start, end, reason)
	}
	return fmt.Errorf("'%s' codec can't decode byte 0x%02x in position %d: %s", name, b[start], start, reason)
}

// Reasons that say that the bytes end within a character.
const (
	endOfData = "unexpected end of data"
	truncated = "truncated data"
)

func nextASCII(b []byte) (rune, int, string) {
	if b[0] >= utf8.RuneSelf {
		return 0, 1, "ordinal not in range(128)"
	}
	return rune(b[0]), 1, ""
}

func nextUTF8(b []byte) (rune, int, string) {
	r, size := utf8.DecodeRune(b)
	if r != utf8.RuneError || size > 1 {
		return r, size, ""
	}
	if b[0] < 0xc2 || b[0] > 0xf4 {
		return 0, 1, "invalid start byte"
	}
	// Unicode §3.9, maximal subparts: b holds a prefix of a character. It ends where no continuation makes it valid.
	for size < len(b) && !utf8.FullRune(b[:size+1]) {
		size++
	}
	if size == len(b) {
		return 0, size, endOfData
	}
	return 0, size, "invalid continuation byte"
}

func nextUTF16(order binary.ByteOrder) func([]byte) (rune, int, string) {
	return func(b []byte) (rune, int, string) {
		if len(b) < 2 {
			return 0, len(b), truncated
		}
		r := rune(order.Uint16(b))
		switch {
		case !utf16.IsSurrogate(r):
			return r, 2, ""
		case r >= 0xdc00:
			return 0, 2, "illegal encoding"
		case len(b) < 4:
			return 0, len(b), endOfData
		}
		if r = utf16.DecodeRune(r, rune(order.Uint16(b[2:]))); r == utf8.RuneError {
			return 0, 2, "illegal UTF-16 surrogate"
		}
		return r, 4, ""
	}
}
