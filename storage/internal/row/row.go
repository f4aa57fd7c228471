// Package row lists, for each table, its columns and the field that each of them is kept in. Both databases build their column
// lists, their arguments and their scan targets from it.
package row

import (
	"strings"

	"latchkey/storage"
)

// Column is a column, or an expression in its place, and the pointer to its field. A driver stores the zero value of a time, digest,
// ID or document as NULL, and reads NULL as the zero value of any field.
type Column struct {
	Name  string
	Field any
}

// These fields are stored otherwise than their types suggest.
type (
	// NullInt is an integer whose zero is stored as NULL.
	NullInt int64
	// NullText is text that is stored as NULL when it is empty.
	NullText string
	// Texts is a list of texts that may have spaces, stored as a JSON array; an empty one is NULL.
	Texts []string
	// Token is a token ID that is stored as it is, even if it is zero.
	Token storage.TokenID
)

// Names returns the names of the columns, each with the prefix, as SQL lists them.
func Names[T any](prefix string, columns func(*T) []Column) string {
	var names []string
	for _, c := range columns(new(T)) {
		names = append(names, prefix+c.Name)
	}
	return strings.Join(names, ", ")
}

// Fields returns what convert makes of the pointer to each field.
func Fields(convert func(any) any, rows ...[]Column) []any {
	n := 0
	for _, columns := range rows {
		n += len(columns)
	}
	fields := make([]any, 0, n)
	for _, columns := range rows {
		for _, c := range columns {
			fields = append(fields, convert(c.Field))
		}
	}
	return fields
}
