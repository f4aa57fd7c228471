package directory

import (
	"fmt"
	"strings"
)

// Table says where the users of a site are.
type Table struct {
	Name string
	// Columns are the columns by the fields of auth_user: id, username, password, email, first_name, last_name, is_active, is_staff,
	// last_login and date_joined, and email_verified, which is not one of them. The first three are needed; a field that the table does not have is "".
	Columns map[string]string
	// KeyType is the type of the key in the model, such as AutoField or UUIDField; empty if it is not known.
	KeyType string
	// Groups is the table that joins users and groups, with the columns of both; "" for none.
	Groups, GroupsUser, GroupsGroup string
}

// dialect is what databases write differently.
type dialect struct {
	mysql bool
}

// quote returns a name as an identifier; dots separate the schema from the table.
func (d dialect) quote(name string) string {
	mark := `"`
	if d.mysql {
		mark = "`"
	}
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = mark + strings.ReplaceAll(part, mark, mark+mark) + mark
	}
	return strings.Join(parts, ".")
}

// column returns a column of the table d; its dots are part of the name.
func (d dialect) column(name string) string {
	mark := `"`
	if d.mysql {
		mark = "`"
	}
	return "d." + mark + strings.ReplaceAll(name, mark, mark+mark) + mark
}

// parameter returns the n-th parameter.
func (d dialect) parameter(n int) string {
	if d.mysql {
		return "?"
	}
	return fmt.Sprintf("$%d", n)
}

// index returns the statement that makes an index; MySQL wants a name for it.
func (d dialect) index(kind, table, expression string) string {
	name := ""
	if d.mysql {
		name = "latchkey_" + expression + " "
	}
	return fmt.Sprintf("CREATE %s %sON %s (%s)", kind, name, table, expression)
}

// text returns an expression as text.
func (d dialect) text(expression string) string {
	if d.mysql {
		return expression // the driver reads any type as text
	}
	return expression + "::text"
}

// textField, boolField and timeField return a field as what the query reads, or a constant for one that the table does not have.
func (s *Source) textField(field string) string {
	if s.table.Columns[field] == "" {
		return "''"
	}
	return "coalesce(" + s.dialect.text(s.dialect.column(s.table.Columns[field])) + ", '')"
}

func (s *Source) boolField(field string, absent bool) string {
	column := s.table.Columns[field]
	if column == "" {
		return fmt.Sprint(absent)
	}
	return "coalesce(" + s.dialect.column(column) + ", false)" // NULL, which Django never has there, allows nothing
}

// verified returns whether the site says that the address is the user's.
func (s *Source) verified() string {
	if s.table.Columns["email_verified"] == "" {
		return "false"
	}
	return "(" + s.boolField("email_verified", false) + " AND " + s.textField("email") + " <> '')"
}

func (s *Source) timeField(field string) string {
	column := s.table.Columns[field]
	switch {
	case column == "" && s.dialect.mysql:
		return "NULL"
	case column == "":
		return "NULL::timestamptz"
	case s.dialect.mysql:
		return s.dialect.column(column)
	}
	value := s.dialect.column(column)
	if found := s.shape.Load(); found != nil && found.types[column] == "timestamp" {
		value = "(" + value + " AT TIME ZONE 'UTC')"
	}
	return "CASE WHEN isfinite(" + value + ") THEN " + value + "::timestamptz END" // infinity is no time that a program reads
}

// groups returns a query of the names of a user's groups as a JSON array.
func (s *Source) groups() string {
	t, d := s.table, s.dialect
	if t.Groups == "" {
		return "'[]'"
	}
	aggregate := "json_agg(g.name ORDER BY g.name)"
	if d.mysql {
		aggregate = "json_arrayagg(g.name)"
	}
	return "coalesce((SELECT " + aggregate + " FROM " + d.quote(t.Groups) + " ug JOIN " + s.groupTable() + " g ON g.id = ug." + d.quote(t.GroupsGroup) +
		" WHERE ug." + d.quote(t.GroupsUser) + " = " + s.key() + "), '[]')"
}

// groupTable returns the table of the groups, which is in the schema of the one that joins them with users.
func (s *Source) groupTable() string {
	schema := ""
	if dot := strings.LastIndexByte(s.table.Groups, '.'); dot >= 0 {
		schema = s.table.Groups[:dot+1]
	}
	return s.dialect.quote(schema + "auth_group")
}

func (s *Source) key() string { return s.dialect.column(s.table.Columns["id"]) }
