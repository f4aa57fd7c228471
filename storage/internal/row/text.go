package row

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrText: Postgres keeps neither NUL nor invalid UTF-8 in text, so a row of either database can't have such a key.
var ErrText = errors.New("text with a NUL, with invalid UTF-8 or too long")

// Clean reports whether both databases can store a text unchanged.
func Clean(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// Plain makes descriptive text (an address, a user agent) storable, so that it never makes the write fail that it is part of.
func Plain(s string) string {
	if Clean(s) {
		return s
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}
