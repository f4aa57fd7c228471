package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"latchkey/storage"
)

// shape is what the table looks like.
type shape struct {
	key       keyKind
	keyType   string            // the database's
	collation string            // of the key, in Postgres
	types     map[string]string // of the columns
}

// MapError is a column map that does not fit the table.
type MapError struct{ Problem, Remedy string }

func (e *MapError) Error() string { return e.Problem + ". " + e.Remedy }

// Notice is something that an operator should know although the server works.
type Notice struct{ Problem, Remedy string }

// Check compares the column map with the table and asks each kind of question once. It returns a *MapError if the map does not fit, and
// storage.ErrUnavailable while the database is unavailable. names are those that logins may give.
func (s *Source) Check(ctx context.Context, names storage.LoginNames) ([]Notice, error) {
	for _, field := range []string{"id", "username", "password"} {
		if s.table.Columns[field] == "" {
			return nil, &MapError{fmt.Sprintf("%s names no column for %s", s.name, field), "Print it again with the script of `latchkey django inspect`, or name one"}
		}
	}
	found, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	s.shape.Store(found)
	if err := s.ask(ctx, names); err != nil {
		s.shape.Store(nil)
		return nil, err
	}
	return s.notices(ctx, names)
}

// look reads the shape of the table and holds it against the map.
func (s *Source) look(ctx context.Context) (*shape, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	types, collations, err := s.readColumns(ctx)
	if err != nil {
		return nil, away(err)
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
			fmt.Sprintf("the key %s of %s is %s (the model's type in %s: %s)", key, s.table.Name, types[key], s.name, orUnknown(s.table.KeyType)),
			"An integer, a UUID or a text is needed; if a migration has changed it, print the map again with the script of `latchkey django inspect`",
		}
	}
	return &shape{kind, types[key], collations[key], types}, nil
}

func orUnknown(text string) string {
	if text == "" {
		return "not known"
	}
	return text
}

// readColumns returns the types of the columns of the table, and their collations.
func (s *Source) readColumns(ctx context.Context) (types, collations map[string]string, err error) {
	query, args := `
		SELECT a.attname::text, coalesce(b.typname, t.typname)::text, coalesce(quote_ident(n.nspname) || '.' || quote_ident(c.collname), '')
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
		LEFT JOIN pg_collation c ON c.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
		WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped`, []any{s.dialect.quote(s.table.Name)}
	if s.dialect.mysql {
		schema, table := s.mysqlName()
		query = `SELECT column_name, CASE WHEN data_type = 'char' AND character_maximum_length = 32 THEN 'char(32)' WHEN column_type = 'tinyint(1)' THEN 'bool'
			ELSE data_type END, coalesce(collation_name, '') FROM information_schema.columns WHERE table_schema = coalesce(?, database()) AND table_name = ?`
		args = []any{schema, table}
	}
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	types, collations = map[string]string{}, map[string]string{}
	for rows.Next() {
		var name, kind, collation string
		if err := rows.Scan(&name, &kind, &collation); err != nil {
			return nil, nil, err
		}
		types[name], collations[name] = kind, collation
	}
	return types, collations, rows.Err()
}

// mysqlName returns the schema, or nil for that of the connection, and the table.
func (s *Source) mysqlName() (schema any, table string) {
	if before, after, ok := strings.Cut(s.table.Name, "."); ok {
		return before, after
	}
	return nil, s.table.Name
}

// fits reports whether a column of a type can be a field.
func fits(field, kind string) bool {
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
	case "int2", "int4", "int8", "smallint", "int", "bigint", "mediumint":
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

// ask asks each kind of question once, about an account that does not exist.
func (s *Source) ask(ctx context.Context, names storage.LoginNames) error {
	kind := s.shape.Load().key
	missing := map[keyKind]string{keyInteger: "9223372036854775807", keyUUID: "00000000-0000-0000-0000-000000000000", keyHex: "00000000-0000-0000-0000-000000000000", keyText: "-"}[kind]
	value, _ := kind.argument(missing)
	for _, profile := range []bool{false, true} {
		_, err := s.query(ctx, kind, `SELECT `+s.columns(profile)+` FROM `+s.dialect.quote(s.table.Name)+` d WHERE `+s.key()+` = `+kind.comparison(s.dialect, 1), value)
		if err == nil && profile {
			_, err = s.ByLogin(ctx, names, "-")
		}
		if err != nil && s.reachable(ctx) && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			remedy := "Correct the map, or grant the role SELECT on " + s.table.Name
			if s.table.Groups != "" {
				remedy += ", " + s.table.Groups + " and auth_group"
			}
			return &MapError{fmt.Sprintf("Django's users can't be read as %s says: %v", s.name, err), remedy}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reachable reports whether the database answers at all.
func (s *Source) reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var one int
	return s.db.QueryRowContext(ctx, `SELECT 1`).Scan(&one) == nil
}

// notices returns what costs more than it should.
func (s *Source) notices(ctx context.Context, names storage.LoginNames) ([]Notice, error) {
	var notices []Notice
	indexed, err := s.indexed(ctx)
	if err != nil {
		return nil, away(err)
	}
	table, key := s.table.Name, s.table.Columns["id"]
	if !indexed[bare(key)] {
		kind := s.shape.Load().key
		value, _ := kind.argument(map[keyKind]string{keyInteger: "9223372036854775807", keyText: "-"}[kind])
		began := time.Now()
		if value == nil || value == "" {
			value = "00000000-0000-0000-0000-000000000000"
		}
		if _, err := s.query(ctx, kind, `SELECT `+s.columns(false)+` FROM `+s.dialect.quote(table)+` d WHERE `+s.key()+` = `+kind.comparison(s.dialect, 1), value); err != nil {
			return nil, err
		}
		notices = append(notices, Notice{
			fmt.Sprintf("the key %s of %s has no unique index: each login and each refresh reads the whole table, which took %s", key, table, time.Since(began).Round(10*time.Microsecond)),
			s.dialect.index("UNIQUE INDEX", table, key),
		})
	}
	for _, field := range []string{"username", "email"} {
		column := s.table.Columns[field]
		if field == "username" && names.NoUsername || field == "email" && !names.Email || column == "" {
			continue
		}
		expression := column
		if names.Fold && !s.dialect.mysql {
			expression = `lower((` + column + `)::text COLLATE "C")`
		}
		if !indexed[bare(expression)] {
			notices = append(notices, Notice{
				fmt.Sprintf("%s of %s has no index: each login reads the whole table", expression, table),
				s.dialect.index("INDEX", table, expression),
			})
		}
	}
	return notices, nil
}

// indexed returns what the first column of an index is; of the key only unique ones count.
func (s *Source) indexed(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	query, args := `
		SELECT coalesce(a.attname::text, pg_get_indexdef(i.indexrelid, 1, true)), i.indisunique AND i.indnkeyatts = 1
		FROM pg_index i LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attnum > 0
		WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL`, []any{s.dialect.quote(s.table.Name)}
	if s.dialect.mysql {
		schema, table := s.mysqlName()
		query = `SELECT column_name, non_unique = 0 FROM information_schema.statistics WHERE table_schema = coalesce(?, database()) AND table_name = ? AND seq_in_index = 1`
		args = []any{schema, table}
	}
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	first := map[string]bool{}
	for rows.Next() {
		var name string
		var unique bool
		if err := rows.Scan(&name, &unique); err != nil {
			return nil, err
		}
		if name != s.table.Columns["id"] || unique {
			first[bare(name)] = true
		}
	}
	return first, rows.Err()
}

// bare returns an expression as what two spellings of it have in common.
func bare(expression string) string {
	return strings.NewReplacer("(", "", ")", "", `"`, "", "::text", "", " ", "").Replace(expression)
}

// confirmEvery bounds what missing accounts cost.
const confirmEvery = time.Second

// Confirm returns an error if the table is not the one that Check saw, or if it is empty: then a missing account means nothing.
func (s *Source) Confirm(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); now.Sub(s.checked) >= confirmEvery {
		s.problem, s.checked = s.compare(ctx), now
	}
	return s.problem
}

func (s *Source) compare(ctx context.Context) error {
	was := s.shape.Load()
	if was == nil {
		return errUnchecked
	}
	// It outlives a request that is cancelled: others take its answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	is, err := s.look(ctx)
	if err != nil {
		return away(err)
	}
	if is.key != was.key {
		return away(fmt.Errorf("the key of %s was %s and is %s: restart with a new column map", s.table.Name, was.key, is.key))
	}
	var some int
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+s.dialect.quote(s.table.Name)+` LIMIT 1) t`).Scan(&some); err != nil {
		return away(err)
	}
	if some == 0 {
		return away(fmt.Errorf("%s is empty", s.table.Name))
	}
	return nil
}

// MayWrite reports whether the role may change passwords and last logins.
func (s *Source) MayWrite(ctx context.Context) (bool, error) {
	set := []string{}
	for _, field := range []string{"password", "last_login"} {
		if column := s.table.Columns[field]; column != "" {
			name := s.dialect.column(column)[len("d."):]
			set = append(set, name+" = "+name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	_, err := s.db.ExecContext(ctx, `UPDATE `+s.dialect.quote(s.table.Name)+` SET `+strings.Join(set, ", ")+` WHERE false`)
	if err != nil && !s.reachable(ctx) {
		return false, away(err)
	}
	return err == nil, nil
}
