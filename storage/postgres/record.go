package postgres

import (
	"encoding/hex"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// insertRecords returns the INSERT of the rows of a parameter (see records). It can be a CTE with a condition after it.
func insertRecords[T any](table, parameter string, columns func(*T) []row.Column) string {
	names := row.Names("", columns)
	return `INSERT INTO ` + table + ` (` + names + `) SELECT ` + names + ` FROM jsonb_populate_recordset(NULL::` + table + `, ` + parameter + `::jsonb) AS r`
}

// records returns rows as one parameter, whatever their number.
func records[T any](rows []*T, columns func(*T) []row.Column) string {
	list := make([]map[string]any, 0, len(rows))
	for _, r := range rows {
		record := map[string]any{}
		for _, c := range columns(r) {
			record[c.Name] = inJSON(c.Field)
		}
		list = append(list, record)
	}
	return encoded(list)
}

// inJSON returns a field as JSON that Postgres reads as the type of its column; nil is NULL.
func inJSON(field any) any {
	switch p := field.(type) {
	case *storage.ID:
		return orNull(*p)
	case *storage.Digest:
		return bytea(digest(*p))
	case *[]byte:
		return bytea(*p)
	case *time.Time:
		if p.IsZero() {
			return nil
		}
		return stamp(*p)
	case *row.NullInt:
		return orNull(*p)
	case *row.NullText:
		return orNull(*p)
	}
	return field
}

// bytea returns bytes as Postgres reads them from text; nil is NULL.
func bytea(b []byte) any {
	if b == nil {
		return nil
	}
	return `\x` + hex.EncodeToString(b)
}
