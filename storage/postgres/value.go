package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// keyed reports whether rows can have these texts as keys.
func keyed(keys ...string) bool {
	for _, key := range keys {
		if len(key) > 4096 || !row.Clean(key) {
			return false
		}
	}
	return true
}

// plain makes descriptive text storable.
func plain(s string) string { return row.Plain(s) }

// encoded returns a value of our own types as a jsonb parameter. None of them can fail to be encoded.
func encoded(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return document(raw).(string)
}

// stamp returns a time as text for a field of encoded.
func stamp(t time.Time) string { return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano) }

// document returns a JSON document as a jsonb parameter; jsonb accepts neither \u0000 nor halves of surrogate pairs. An empty one is
// NULL, and Postgres refuses one that is not JSON.
func document(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	if !bytes.Contains(raw, []byte(`\u`)) && utf8.Valid(raw) {
		return string(raw)
	}
	// Decoding replaces invalid text with U+FFFD.
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return plain(string(raw))
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return plain(string(raw))
	}
	return withoutNUL(encoded)
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

// instantOf is a time as an element of an array parameter; the zero time is NULL.
func instantOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Microsecond)
	return &t
}

// orNull is a value as an element of an array parameter; the zero value is NULL.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// instant scans a time in UTC; NULL becomes the zero time.
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

// digestTo scans a Digest; NULL becomes the zero digest.
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

// uuids are IDs or TokenIDs as one parameter; zero ones are NULL.
func uuids[T ~[16]byte](ids []T) pgtype.FlatArray[pgtype.UUID] {
	list := make(pgtype.FlatArray[pgtype.UUID], len(ids))
	for i, id := range ids {
		list[i] = pgtype.UUID{Bytes: id, Valid: id != T{}}
	}
	return list
}

// wordsTo scans what strings.Join(…, " ") returned.
type wordsTo []string

// ScanText implements pgtype.TextScanner.
func (w *wordsTo) ScanText(v pgtype.Text) error {
	*w = nil
	if v.String != "" {
		*w = strings.Split(v.String, " ")
	}
	return nil
}

// texts returns a list of texts as a jsonb parameter; an empty one is NULL.
func texts(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return encoded(list)
}

// textsTo scans what texts has stored.
type textsTo []string

// ScanBytes implements pgtype.BytesScanner.
func (t *textsTo) ScanBytes(v []byte) error {
	*t = nil
	if v == nil {
		return nil
	}
	return json.Unmarshal(v, (*[]string)(t))
}

// boolTo scans a bool; NULL becomes false.
type boolTo bool

// ScanBool implements pgtype.BoolScanner.
func (b *boolTo) ScanBool(v pgtype.Bool) error {
	*b = boolTo(v.Bool && v.Valid)
	return nil
}

// limited returns the LIMIT of a filter whose zero limit means no limit.
func limited(n int) any {
	if n <= 0 {
		return nil
	}
	return int64(n)
}

// arguments are those of a statement that is put together.
type arguments []any

// add adds one, and returns its parameter.
func (a *arguments) add(value any) string {
	*a = append(*a, value)
	return "$" + strconv.Itoa(len(*a))
}
