package drf

import (
	"fmt"
	"unicode/utf8"
)

// codec decodes bytes as one of Python's text codecs does.
type codec interface {
	// name is how Python's errors call it.
	name() string
	// decode appends the text of b from the offset i on to dst, up to the first fault or the end.
	decode(dst, b []byte, i int) ([]byte, *fault)
}

// fault is what keeps bytes from being text.
type fault struct {
	start, end int // end is behind the last byte at fault
	reason     string
	// incomplete: the bytes end within a character.
	incomplete bool
}

// decodeStream is what reading a Python StreamReader to its end gives: a character that is cut off at the end is left
// out without a word.
func decodeStream(c codec, b []byte) (string, error) {
	text, f := c.decode(make([]byte, 0, len(b)), b, 0)
	if f == nil || f.incomplete {
		return string(text), nil
	}
	return "", f.error(c, b)
}

// decodeStrict is bytes.decode(encoding).
func decodeStrict(c codec, b []byte) (string, bool) {
	text, f := c.decode(make([]byte, 0, len(b)), b, 0)
	return string(text), f == nil
}

// decodeReplace is bytes.decode(encoding, "replace").
func decodeReplace(c codec, b []byte) string {
	text, f := c.decode(make([]byte, 0, len(b)), b, 0)
	for f != nil {
		text = utf8.AppendRune(text, utf8.RuneError)
		text, f = c.decode(text, b, f.end)
	}
	return string(text)
}

// error is the text of a UnicodeDecodeError.
func (f *fault) error(c codec, b []byte) error {
	if f.end == 0 { // about the whole: no BOM
		return fmt.Errorf("%s", f.reason)
	}
	if f.end-f.start == 1 {
		return fmt.Errorf("'%s' codec can't decode byte 0x%02x in position %d: %s", c.name(), b[f.start], f.start, f.reason)
	}
	return fmt.Errorf("'%s' codec can't decode bytes in position %d-%d: %s", c.name(), f.start, f.end-1, f.reason)
}

type utf8Codec struct{}

func (utf8Codec) name() string { return "utf-8" }

func (utf8Codec) decode(dst, b []byte, i int) ([]byte, *fault) {
	if utf8.Valid(b[i:]) {
		return append(dst, b[i:]...), nil
	}
	for i < len(b) {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			return dst, utf8Fault(b, i)
		}
		dst = append(dst, b[i:i+size]...)
		i += size
	}
	return dst, nil
}

// utf8Fault tells what is wrong at i, where no character begins (Unicode §3.9, "maximal subparts").
func utf8Fault(b []byte, i int) *fault {
	lead := b[i]
	if lead < 0xc2 || lead > 0xf4 {
		return &fault{i, i + 1, "invalid start byte", false}
	}
	low, high := byte(0x80), byte(0xbf) // of the byte behind the first
	size := 2
	switch {
	case lead >= 0xf0:
		size = 4
		if lead == 0xf0 {
			low = 0x90
		} else if lead == 0xf4 {
			high = 0x8f
		}
	case lead >= 0xe0:
		size = 3
		if lead == 0xe0 {
			low = 0xa0
		} else if lead == 0xed {
			high = 0x9f
		}
	}
	end := i + 1
	for ; end < i+size && end < len(b); end++ {
		if b[end] < low || b[end] > high {
			return &fault{i, end, "invalid continuation byte", false}
		}
		low, high = 0x80, 0xbf
	}
	return &fault{i, end, "unexpected end of data", true}
}

// utf8SigCodec is UTF-8 that may begin with a byte order mark.
type utf8SigCodec struct{ utf8Codec }

func (c utf8SigCodec) decode(dst, b []byte, i int) ([]byte, *fault) {
	const mark = "\xef\xbb\xbf"
	if i == 0 && len(b) < len(mark) && mark[:len(b)] == string(b) {
		return dst, nil
	}
	if i > 0 || len(b) < len(mark) || string(b[:len(mark)]) != mark {
		return c.utf8Codec.decode(dst, b, i)
	}
	dst, f := c.utf8Codec.decode(dst, b[len(mark):], 0)
	return dst, f
}

type asciiCodec struct{}

func (asciiCodec) name() string { return "ascii" }

func (asciiCodec) decode(dst, b []byte, i int) ([]byte, *fault) {
	for ; i < len(b); i++ {
		if b[i] >= utf8.RuneSelf {
			return dst, &fault{i, i + 1, "ordinal not in range(128)", false}
		}
		dst = append(dst, b[i])
	}
	return dst, nil
}

// charmapCodec has one byte for each character.
type charmapCodec struct {
	codecName string
	// rune gives utf8.RuneError for a byte without a character.
	rune func(byte) rune
}

func (c charmapCodec) name() string { return c.codecName }

func (c charmapCodec) decode(dst, b []byte, i int) ([]byte, *fault) {
	for ; i < len(b); i++ {
		r := c.rune(b[i])
		if r == utf8.RuneError {
			return dst, &fault{i, i + 1, "character maps to <undefined>", false}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, nil
}
