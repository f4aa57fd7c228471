package directory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// look reads the shape of the table and holds it against the map.
func (s *Source) look(ctx context.Context) (*shape, error) {
	types, collations, err := s.readColumns(ctx)
	if err != nil {
		return nil, err
	}
	if len(types) == 0 {
		return nil, &MapError{
			fmt.Sprintf("Django's database has no table %s, or its role may not see it (%s)", s.table.Name, s.name),
			"Correct the name of the table, with its schema if it is not in the search_path, or --django-database-url",
		}
	}
	if _, own := types["auth_epoch"]; own {
		return nil, &MapError{fmt.Sprintf("the table %s is Latchkey's own (%s)", s.table.Name, s.name), "Name Django's table with its schema, such as public." + s.table.Name}
	}
	for _, field := range slices.Sorted(maps.Keys(s.table.Columns)) {
		column := s.table.Columns[field]
		if _, ok := types[column]; column != "" && !ok {
			return nil, &MapError{
				fmt.Sprintf("the table %s has no column %s, which %s names for %s", s.table.Name, column, s.name, field),
				"Its columns are " + strings.Join(slices.Sorted(maps.Keys(types)), ", ") + ": correct the name, or leave it empty if the model has no such field",
			}
		}
		if column != "" && !fits(field, types[column]) {
			return nil, &MapError{
				fmt.Sprintf("the column %s of %s is %s, which can't be the %s of a user (%s)", column, s.table.Name, types[column], field, s.name),
				"Print the map again with the script of `latchkey django inspect`",
			}
		}
	}
	key := s.table.Columns["id"]
	kind, ok := s.kindOf(types[key])
	if !ok {
		return nil, &MapError{
			fmt.Sprintf("the key %s of %s is %s (the model's type in %s: %s)", key, s.table.Name, types[key], s.name, cmp.Or(s.table.KeyType, "not known")),
			"An integer, a UUID or a text is needed; if a migration has changed it, print the map again with the script of `latchkey django inspect`",
		}
	}
	return &shape{kind, types[key], collations[key], types}, nil
}

// readColumns returns the types of the columns of the table, and their collations.
func (s *Source) readColumns(ctx context.Context) (types, collations map[string]string, err error) {
	query, args := s.columnQuery()
	types, collations = map[string]string{}, map[string]string{}
	var name, kind, collation string
	err = s.each(ctx, query, args, []any{&name, &kind, &collation}, func() error {
		if s.dialect == SQLite {
			kind = sqliteType(kind)
		}
		types[name], collations[name] = kind, collation
		return nil
	})
	return types, collations, err
}

// columnQuery returns the query of the names, types and collations of the columns.
func (s *Source) columnQuery() (query string, args []any) {
	schema, table := s.schemaAndTable()
	switch s.dialect {
	case MySQL:
		return `SELECT column_name, CASE WHEN data_type = 'char' AND character_maximum_length = 32 THEN 'char(32)' WHEN column_type = 'tinyint(1)' THEN 'bool'
			ELSE data_type END, coalesce(collation_name, '') FROM information_schema.columns WHERE table_schema = coalesce(?, database()) AND table_name = ?`,
			[]any{schema, table}
	case SQLite: // what is hidden = 1 is no column
		return `SELECT name, type, '' FROM pragma_table_xinfo(?1, ?2) WHERE hidden <> 1`, []any{table, schema}
	}
	return `
		SELECT a.attname::text, coalesce(b.typname, t.typname)::text, coalesce(quote_ident(n.nspname) || '.' || quote_ident(c.collname), '')
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
		LEFT JOIN pg_collation c ON c.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
		WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`, []any{s.dialect.quote(s.table.Name)}
}

// schemaAndTable returns the schema, or nil for that of the connection, and the table.
func (s *Source) schemaAndTable() (schema any, table string) {
	if before, after, ok := strings.Cut(s.table.Name, "."); ok {
		return before, after
	}
	return nil, s.table.Name
}

// fits reports whether a column of a type can be a field.
func fits(field, kind string) bool {
	if field != "id" && kind == "" {
		return true // an expression of a view in SQLite
	}
	switch field {
	case "id":
		return true // kindOf says
	case "is_active", "is_staff", "email_verified":
		return kind == "bool"
	case "last_login", "date_joined":
		return slices.Contains([]string{"timestamptz", "timestamp", "datetime"}, kind)
	}
	return slices.Contains([]string{"varchar", "text", "bpchar", "citext", "name", "char", "char(32)", "tinytext", "mediumtext", "longtext"}, kind)
}

// kindOf returns the kind of a key of a type. The type of the model, if it is known, must be of the same kind.
func (s *Source) kindOf(kind string) (keyKind, bool) {
	model := s.table.KeyType
	integer := strings.HasSuffix(model, "AutoField") || strings.HasSuffix(model, "IntegerField")
	switch kind {
	case "int2", "int4", "int8", "smallint", "int", "integer", "bigint", "mediumint":
		return keyInteger, model == "" || integer
	case "uuid":
		return keyUUID, model == "" || model == "UUIDField"
	case "char(32)":
		if model == "UUIDField" {
			return keyHex, true
		}
		return keyText, !integer
	case "varchar", "text", "bpchar", "citext", "char":
		return keyText, !integer && model != "UUIDField"
	}
	return "", false
}
