package directory

import (
	"database/sql"
	"fmt"
	"strings"

	"latchkey/storage/postgres"
	"latchkey/storage/sqlite"
)

// Dialect is a kind of database, with what each kind writes differently.
type Dialect int

// The kinds of databases that have Django's tables.
const (
	Postgres Dialect = iota
	MySQL            // and MariaDB
	SQLite
)

// DialectOf returns the kind of the database that a URL leads to.
func DialectOf(url string) Dialect {
	scheme, _, _ := strings.Cut(url, ":")
	switch scheme {
	case "mysql", "mariadb":
		return MySQL
	case "sqlite":
		return SQLite
	}
	return Postgres
}

// Open prepares connections to Django's database by its URL. Nothing is connected yet. The error may quote the URL.
func Open(url string) (*sql.DB, error) {
	switch DialectOf(url) {
	case MySQL:
		return OpenMySQL(url)
	case SQLite:
		return sqlite.OpenDB(strings.TrimPrefix(strings.TrimPrefix(url, "sqlite:"), "//"))
	}
	return postgres.OpenDB(url)
}

// String returns the name of the database.
func (d Dialect) String() string { return [...]string{"Postgres", "MySQL", "SQLite"}[d] }

// quote returns a name as an identifier; dots separate the schema from the table.
func (d Dialect) quote(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = d.identifier(part)
	}
	return strings.Join(parts, ".")
}

// identifier returns a name whose dots are part of it as an identifier.
func (d Dialect) identifier(name string) string {
	mark := `"`
	if d == MySQL {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark
}

// column returns a column of the table d.
func (d Dialect) column(name string) string { return "d." + d.identifier(name) }

// parameter returns the n-th parameter.
func (d Dialect) parameter(n int) string {
	switch d {
	case MySQL:
		return "?"
	case SQLite:
		return fmt.Sprintf("?%d", n)
	}
	return fmt.Sprintf("$%d", n)
}

// index returns the statement that makes an index of a column, or of an expression of it; only Postgres finds a name for it.
func (d Dialect) index(kind, table, column, expression string) string {
	name := ""
	if d != Postgres {
		name = "latchkey_" + column + " "
	}
	return fmt.Sprintf("CREATE %s %sON %s (%s)", kind, name, table, expression)
}

// text returns an expression as text.
func (d Dialect) text(expression string) string {
	switch d {
	case MySQL:
		return expression // the driver reads any type as text
	case SQLite:
		return "CAST(" + expression + " AS TEXT)"
	}
	return expression + "::text"
}

// folded returns a column in lower case. Postgres folds ASCII only in this collation, and SQLite always; MySQL folds more, which ByLogin sorts out.
func (d Dialect) folded(column string) string {
	if d == Postgres {
		return "lower(" + column + `::text COLLATE "C")`
	}
	return "lower(" + column + ")"
}

// groupNames returns the aggregate that makes the names of groups a JSON array.
func (d Dialect) groupNames() string {
	switch d {
	case MySQL:
		return "json_arrayagg(g.name)"
	case SQLite:
		return "json_group_array(g.name)"
	}
	return "json_agg(g.name ORDER BY g.name)"
}
