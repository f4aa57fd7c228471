package pyjson

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string whose opening quote is at begin, and returns the position after its closing one.
func (d *decoder) string(begin int) (string, int, error) {
	i := begin + 1
	var b strings.Builder
	for {
		plain := i
		for i < len(d.text) && d.text[i] >= ' ' && d.text[i] != '"' && d.text[i] != '\\' {
			i++
		}
		switch {
		case i == len(d.text):
			return "", 0, at("Unterminated string starting at", d.text, begin)
		case d.text[i] < ' ':
			return "", 0, at("Invalid control character at", d.text, i)
		case d.text[i] == '"' && b.Len() == 0:
			return d.text[plain:i], i + 1, nil
		}
		b.WriteString(d.text[plain:i])
		if d.text[i] == '"' {
			return b.String(), i + 1, nil
		}
		c, end, err := d.escape(begin, i+1)
		if err != nil {
			return "", 0, err
		}
		b.WriteString(encode(c))
		i = end
	}
}

// What follows the backslash in the escapes of one character, and what each stands for.
const (
	escapes = `"\/bfnrt`
	escaped = "\"\\/\b\f\n\r\t"
)

// escape reads what follows the backslash before i.
func (d *decoder) escape(begin, i int) (rune, int, error) {
	if i == len(d.text) {
		return 0, 0, at("Unterminated string starting at", d.text, begin)
	}
	if d.text[i] == 'u' {
		return d.unicode(i + 1)
	}
	which := strings.IndexByte(escapes, d.text[i])
	if which < 0 {
		return 0, 0, at("Invalid \\escape", d.text, i-1)
	}
	return rune(escaped[which]), i + 1, nil
}

// unicode reads the four digits at i, and those of a low surrogate when they are a high one.
func (d *decoder) unicode(i int) (rune, int, error) {
	c, ok := d.hex(i)
	// Python wants one more character behind the digits, here and below.
	if !ok || i+4 >= len(d.text) {
		return 0, 0, at("Invalid \\uXXXX escape", d.text, i-1)
	}
	next := i + 4
	if c < 0xd800 || c > 0xdbff || !d.beyond(next, 6) || d.text[next] != '\\' || d.text[next+1] != 'u' {
		return c, next, nil
	}
	low, ok := d.hex(next + 2)
	if !ok {
		return 0, 0, at("Invalid \\uXXXX escape", d.text, next+1)
	}
	if low < 0xdc00 || low > 0xdfff {
		return c, next, nil
	}
	return utf16.DecodeRune(c, low), next + 6, nil
}

// beyond reports whether more than n characters follow from i on. Counting bytes would reach the limit too early.
func (d *decoder) beyond(i, n int) bool {
	for ; n >= 0; n-- {
		if i >= len(d.text) {
			return false
		}
		i++
		for i < len(d.text) && !utf8.RuneStart(d.text[i]) {
			i++
		}
	}
	return true
}

func (d *decoder) hex(i int) (rune, bool) {
	if i+4 > len(d.text) {
		return 0, false
	}
	c, err := strconv.ParseUint(d.text[i:i+4], 16, 16)
	return rune(c), err == nil
}

// encode is UTF-8 that has a form for surrogates too.
func encode(c rune) string {
	if 0xd800 <= c && c <= 0xdfff {
		return string([]byte{0xe0 | byte(c>>12), 0x80 | byte(c>>6)&0x3f, 0x80 | byte(c)&0x3f})
	}
	return string(c)
}
