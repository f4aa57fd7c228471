package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// field returns what a field is written and read with.
func field(p any) any {
	switch p := p.(type) {
	case *storage.ID:
		return (*uuidField)(p)
	case *storage.TokenID:
		return (*uuidField)(p)
	case *row.Token:
		return (*tokenField)(p)
	case *storage.Digest:
		return (*digestField)(p)
	case *time.Time:
		return (*timeField)(p)
	case *[]string:
		return (*wordsField)(p)
	case *row.Texts:
		return (*textsField)(p)
	case *string:
		return (*textField)(p)
	case *row.NullText:
		return (*nullTextField)(p)
	case *int64:
		return (*intField)(p)
	case *row.NullInt:
		return (*nullIntField)(p)
	case *bool:
		return (*boolField)(p)
	case *json.RawMessage:
		return (*jsonField)(p)
	case *storage.ScopeAt:
		return (*scopeAtField)(p)
	}
	return p
}

// Each of these types is a field as it is written and read; NULL is read as the zero value.
type (
	uuidField     [16]byte // zero is NULL
	tokenField    [16]byte
	digestField   storage.Digest // zero is NULL
	timeField     time.Time      // microseconds since 1970; zero is NULL
	wordsField    []string       // with a space between the members, which have none
	textsField    []string       // a JSON array; empty is NULL
	textField     string
	nullTextField string // empty is NULL
	intField      int64
	nullIntField  int64 // zero is NULL
	boolField     bool
	jsonField     json.RawMessage // empty is NULL
	scopeAtField  storage.ScopeAt
)

func (f *uuidField) Value() (driver.Value, error)   { return orNull(*f, f[:]) }
func (f *tokenField) Value() (driver.Value, error)  { return f[:], nil }
func (f *digestField) Value() (driver.Value, error) { return orNull(*f, f[:]) }
func (f *timeField) Value() (driver.Value, error)   { return micros(time.Time(*f)), nil }
func (f *wordsField) Value() (driver.Value, error)  { return row.Plain(strings.Join(*f, " ")), nil }
func (f *textsField) Value() (driver.Value, error) {
	if len(*f) == 0 {
		return nil, nil
	}
	text, err := json.Marshal([]string(*f))
	return row.Plain(string(text)), err
}

func (f *textField) Value() (driver.Value, error)     { return row.Plain(string(*f)), nil }
func (f *nullTextField) Value() (driver.Value, error) { return orNull(*f, row.Plain(string(*f))) }
func (f *intField) Value() (driver.Value, error)      { return int64(*f), nil }
func (f *nullIntField) Value() (driver.Value, error)  { return orNull(*f, int64(*f)) }
func (f *boolField) Value() (driver.Value, error)     { return bool(*f), nil }
func (f *jsonField) Value() (driver.Value, error)     { return orNull(string(*f), row.Plain(string(*f))) }

// orNull returns the value of a field, or nil if the field is zero.
func orNull[T comparable](field T, value driver.Value) (driver.Value, error) {
	var zero T
	if field == zero {
		return nil, nil
	}
	return value, nil
}

func (f *uuidField) Scan(v any) error   { return scanBytes(f[:], v) }
func (f *tokenField) Scan(v any) error  { return scanBytes(f[:], v) }
func (f *digestField) Scan(v any) error { return scanBytes(f[:], v) }

func (f *timeField) Scan(v any) error {
	n, err := valueOf[int64](v)
	*f = timeField{}
	if v != nil {
		*f = timeField(time.UnixMicro(n).UTC())
	}
	return err
}

func (f *wordsField) Scan(v any) error {
	s, err := valueOf[string](v)
	*f = nil
	if s != "" {
		*f = strings.Split(s, " ")
	}
	return err
}

func (f *textsField) Scan(v any) error {
	s, err := valueOf[string](v)
	*f = nil
	if err != nil || s == "" {
		return err
	}
	return json.Unmarshal([]byte(s), (*[]string)(f))
}

func (f *textField) Scan(v any) (err error) {
	*(*string)(f), err = valueOf[string](v)
	return err
}

func (f *nullTextField) Scan(v any) error { return (*textField)(f).Scan(v) }

func (f *intField) Scan(v any) (err error) {
	*(*int64)(f), err = valueOf[int64](v)
	return err
}

func (f *nullIntField) Scan(v any) error { return (*intField)(f).Scan(v) }

func (f *boolField) Scan(v any) error {
	n, err := valueOf[int64](v)
	*f = n != 0
	return err
}

func (f *jsonField) Scan(v any) error {
	s, err := valueOf[string](v)
	*f = nil
	if s != "" {
		*f = jsonField(s)
	}
	return err
}

func (f *scopeAtField) Value() (driver.Value, error) {
	raw, err := json.Marshal(*f)
	return string(raw), err
}

func (f *scopeAtField) Scan(v any) error {
	var raw jsonField
	*f = nil
	if err := raw.Scan(v); err != nil || len(raw) == 0 {
		return err
	}
	return json.Unmarshal(raw, (*storage.ScopeAt)(f))
}

// valueOf returns the value of a column, zero for NULL.
func valueOf[T any](v any) (T, error) {
	value, ok := v.(T)
	if !ok && v != nil {
		return value, fmt.Errorf("the column holds %T instead of %T", v, value)
	}
	return value, nil
}

// scanBytes reads a BLOB of a fixed length.
func scanBytes(to []byte, v any) error {
	b, err := valueOf[[]byte](v)
	clear(to)
	if err == nil && v != nil && len(b) != len(to) {
		err = fmt.Errorf("the column holds %d bytes instead of %d", len(b), len(to))
	}
	copy(to, b)
	return err
}

// micros returns a time as it is stored; the zero time is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// digest returns a digest as it is stored; the zero digest is NULL.
func digest(d storage.Digest) any {
	if d.IsZero() {
		return nil
	}
	return d[:]
}

// keyed reports whether rows of either database can have these texts as keys: valid UTF-8 without NUL.
func keyed(keys ...string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool { return !row.Clean(key) })
}
