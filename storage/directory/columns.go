package directory

import (
	"fmt"
	"strings"
)

// columns are those of query.
func (s *Source) columns(profile bool) string {
	groups := "'[]'"
	if profile {
		groups = s.groups()
	}
	return strings.Join(append(s.fields(s.boolField), groups), ", ")
}

// fields are the columns of an account without the groups.
func (s *Source) fields(boolField func(field string, absent bool) string) []string {
	list := []string{s.dialect.text(s.key())}
	for _, field := range []string{"username", "password", "email", "first_name", "last_name"} {
		list = append(list, s.textField(field))
	}
	return append(list, boolField("is_active", true), boolField("is_staff", false), s.timeField("last_login"), s.timeField("date_joined"), s.verified())
}

// textField, boolField and timeField return a field as what the query reads, or a constant for one that the table does not have.
func (s *Source) textField(field string) string {
	if s.table.Columns[field] == "" {
		return "''"
	}
	return "coalesce(" + s.dialect.text(s.dialect.column(s.table.Columns[field])) + ", '')"
}

func (s *Source) boolField(field string, absent bool) string {
	return "coalesce(" + s.nullableField(field, absent) + ", false)" // NULL, which Django never has there, allows nothing
}

// nullableField is boolField with NULL as it is.
func (s *Source) nullableField(field string, absent bool) string {
	column := s.table.Columns[field]
	switch {
	case column == "":
		return fmt.Sprint(absent)
	case s.dialect == SQLite:
		return "(" + s.dialect.column(column) + " = 1)" // any other value is possible there, and allows nothing
	}
	return s.dialect.column(column)
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
	case column == "" && s.dialect == Postgres:
		return "NULL::timestamptz"
	case column == "":
		return "NULL"
	case s.dialect == MySQL:
		return s.dialect.column(column)
	case s.dialect == SQLite:
		return s.dialect.text(s.dialect.column(column))
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
	return "coalesce((SELECT " + d.groupNames() + " FROM " + d.quote(t.Groups) + " ug JOIN " + s.groupTable() + " g ON g.id = ug." + d.quote(t.GroupsGroup) +
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
