// Package row lists, for each table, its columns and the field that each of them is kept in. Both databases build their column
// lists, their arguments and their scan targets from it.
package row

import (
	"strconv"
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
	// Token is an ID of a token or of a row that is stored, or compared, as it is, even if it is zero.
	Token storage.TokenID
)

// Names returns the names of the columns, each with the prefix, as SQL lists them.
func Names[T any](prefix string, columns func(*T) []Column) string {
	return Join(prefix, columns(new(T)))
}

// Join is Names of columns.
func Join(prefix string, columns []Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = prefix + c.Name
	}
	return strings.Join(names, ", ")
}

// Insert returns the INSERT of a row whose columns are the parameters from $1 on.
func Insert(table string, columns []Column) string {
	parameters := make([]string, len(columns))
	for i := range columns {
		parameters[i] = "$" + strconv.Itoa(i+1)
	}
	return `INSERT INTO ` + table + ` (` + Join("", columns) + `) VALUES (` + strings.Join(parameters, ", ") + `)`
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
