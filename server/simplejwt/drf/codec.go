package drf

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
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
	start, end int // end is behind the last byte at fault, and start before it
	reason     string
	// incomplete: the bytes end within a character.
	incomplete bool
}

// decodeStream is what reading a Python StreamReader to its end gives: a character that is cut off at the end is left
// out without a word, and UTF-16 and UTF-32 need a byte order mark.
func decodeStream(c codec, b []byte) (string, error) {
	if _, ok := c.(utf8SigCodec); ok && strings.HasPrefix(utf8Mark, string(b)) {
		return "", nil
	}
	inner, b, start := behindMark(c, b)
	text, f := inner.decode(make([]byte, 0, len(b)), b, start)
	read := len(b)
	if f != nil {
		if !f.incomplete {
			return "", f.error(inner, b)
		}
		read = f.start
	}
	if m, ok := c.(markedCodec); ok && start == 0 && read >= m.size {
		return "", errors.New(m.label + " stream does not start with BOM")
	}
	return string(text), nil
}

// decodeStrict is bytes.decode(encoding).
func decodeStrict(c codec, b []byte) (string, bool) {
	c, b, start := behindMark(c, b)
	text, f := c.decode(make([]byte, 0, len(b)), b, start)
	return string(text), f == nil
}

// decodeReplace is bytes.decode(encoding, "replace").
func decodeReplace(c codec, b []byte) string {
	c, b, start := behindMark(c, b)
	text, f := c.decode(make([]byte, 0, len(b)), b, start)
	for f != nil {
		text = utf8.AppendRune(text, utf8.RuneError)
		text, f = c.decode(text, b, f.end) // each fault ends behind its beginning
	}
	return string(text)
}

// behindMark gives the codec that a byte order mark at the beginning tells, and where the text begins. Python counts the mark
// among the positions of UTF-16 and UTF-32, and not among those of UTF-8.
func behindMark(c codec, b []byte) (inner codec, text []byte, start int) {
	switch c := c.(type) {
	case utf8SigCodec:
		return c.utf8Codec, bytes.TrimPrefix(b, []byte(utf8Mark)), 0
	case markedCodec:
		return c.behindMark(b)
	}
	return c, b, 0
}

// error is the text of a UnicodeDecodeError.
func (f *fault) error(c codec, b []byte) error {
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

const utf8Mark = "\xef\xbb\xbf"

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
