package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
)

// keyed tells whether text parameters that name rows are such that a row can have them.
func keyed(keys ...string) bool {
	for _, key := range keys {
		if len(key) > 4096 || !clean(key) {
			return false
		}
	}
	return true
}

// clean tells whether Postgres can keep a text as it is.
func clean(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// plain makes descriptive text (an address, a user agent) storable: it must never fail the write it comes with.
func plain(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// document makes a JSON parameter storable as jsonb, which takes neither \u0000 nor halves of surrogate pairs.
// nil stands for NULL.
func document(raw json.RawMessage) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if !bytes.Contains(raw, []byte(`\u`)) && utf8.Valid(raw) {
		return string(raw), nil
	}
	// encoding/json makes U+FFFD of what is no valid text.
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return withoutNUL(encoded), nil
}

// withoutNUL replaces the escape \u0000, but not an escaped backslash followed by u0000.
func withoutNUL(encoded []byte) string {
	var b strings.Builder
	for i := 0; i < len(encoded); i++ {
		switch {
		case encoded[i] != '\\':
			b.WriteByte(encoded[i])
		case bytes.HasPrefix(encoded[i:], []byte(`\u0000`)):
			b.WriteString(`\ufffd`)
			i += 5
		default:
			b.Write(encoded[i : i+2])
			i++
		}
	}
	return b.String()
}

// at is a time as a parameter; the zero time is NULL.
func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Microsecond)
}

// instant scans a time in UTC; NULL is the zero time.
type instant time.Time

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (t *instant) ScanTimestamptz(v pgtype.Timestamptz) error {
	if !v.Valid {
		*t = instant{}
		return nil
	}
	if v.InfinityModifier != pgtype.Finite {
		return fmt.Errorf("infinite time")
	}
	*t = instant(v.Time.UTC())
	return nil
}

// digest is a Digest as a parameter; the zero digest is NULL.
func digest(d storage.Digest) []byte {
	if d.IsZero() {
		return nil
	}
	return d[:]
}

// digestTo scans a Digest; NULL is the zero one.
type digestTo storage.Digest

// ScanBytes implements pgtype.BytesScanner.
func (d *digestTo) ScanBytes(v []byte) error {
	*d = digestTo{}
	if v != nil && len(v) != len(d) {
		return fmt.Errorf("digest of %d bytes", len(v))
	}
	copy(d[:], v)
	return nil
}

// uuid is an ID or TokenID as a parameter; the zero one is NULL.
func uuid[T ~[16]byte](id T) zeronull.UUID { return zeronull.UUID(id) }

// words splits what strings.Join(…, " ") made.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}

// wordsTo scans what strings.Join(…, " ") made.
type wordsTo []string

// ScanText implements pgtype.TextScanner.
func (w *wordsTo) ScanText(v pgtype.Text) error {
	*w = words(v.String)
	return nil
}

// limited makes a LIMIT of a limit whose zero means none.
func limited(n int) any {
	if n <= 0 {
		return nil
	}
	return int64(n)
}
