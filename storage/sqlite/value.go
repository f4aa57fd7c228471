package sqlite

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/storage"
)

// micros is a time as it is stored: microseconds since 1970, NULL for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// timeTo reads into a time what micros wrote.
func timeTo(t *time.Time) timeDest { return timeDest{t} }

type timeDest struct{ t *time.Time }

func (d timeDest) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*d.t = time.Time{}
	case int64:
		*d.t = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("a time is stored as %T", v)
	}
	return nil
}

// bytesTo reads a BLOB of a fixed length; NULL is all zeros.
type bytesTo []byte

func (d bytesTo) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		clear(d)
	case []byte:
		if len(v) != len(d) {
			return fmt.Errorf("%d bytes are stored instead of %d", len(v), len(d))
		}
		copy(d, v)
	default:
		return fmt.Errorf("bytes are stored as %T", v)
	}
	return nil
}

// id, token and digest are stored as they are, NULL when they are zero.
func id(v storage.ID) any {
	if v.IsZero() {
		return nil
	}
	return v[:]
}

func token(v storage.TokenID) any {
	if v == (storage.TokenID{}) {
		return nil
	}
	return v[:]
}

func digest(v storage.Digest) any {
	if v.IsZero() {
		return nil
	}
	return v[:]
}

// text is stored as it is, NULL when it is empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// keyed tells whether text that names rows is such that a row of either database can have it: valid UTF-8 without NUL.
func keyed(keys ...string) bool {
	for _, key := range keys {
		if strings.IndexByte(key, 0) >= 0 || !utf8.ValidString(key) {
			return false
		}
	}
	return true
}

// plain makes descriptive text, an address or a user agent, such that either database can have it.
// It must never fail the write that it comes with.
func plain(s string) string {
	if keyed(s) {
		return s
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// words is a list as it is stored: with a space between its members, which have none.
func words(list []string) string { return strings.Join(list, " ") }

// wordsTo reads into a list what words wrote.
func wordsTo(list *[]string) wordsDest { return wordsDest{list} }

type wordsDest struct{ list *[]string }

func (d wordsDest) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a list is stored as %T", v)
	}
	*d.list = nil
	if s != "" {
		*d.list = strings.Split(s, " ")
	}
	return nil
}
