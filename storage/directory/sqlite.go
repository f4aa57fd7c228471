package directory

import (
	"fmt"
	"strings"
	"time"
)

// SQLite has no types for times and booleans: Django keeps a time as text in UTC, and a boolean as 0 or 1.

// SQLiteTime returns a time as Django writes it into SQLite.
func SQLiteTime(t time.Time) string {
	if t = t.UTC(); t.Nanosecond() < 1000 {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("2006-01-02 15:04:05.000000")
}

// moment reads a time, or the text of one. It is zero for NULL, and for a text that is no time.
type moment struct{ time.Time }

// Scan implements [sql.Scanner].
func (m *moment) Scan(value any) error {
	m.Time = time.Time{}
	switch v := value.(type) {
	case nil:
	case time.Time:
		m.Time = v.UTC()
	case string:
		for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05", time.DateOnly} {
			for _, zone := range []string{"", "Z07:00"} {
				if t, err := time.Parse(layout+zone, v); err == nil {
					m.Time = t.UTC()
					return nil
				}
			}
		}
	default:
		return fmt.Errorf("%T is no time", value)
	}
	return nil
}

// sqliteType returns a declared type as what it has in common with others: without a length, except that of a UUID of Django's.
func sqliteType(declared string) string {
	declared = strings.ToLower(strings.TrimSpace(declared))
	if declared == "char(32)" {
		return declared
	}
	declared, _, _ = strings.Cut(declared, "(")
	declared = strings.TrimSuffix(strings.TrimSpace(declared), " unsigned")
	if declared == "boolean" {
		return "bool"
	}
	return declared
}
