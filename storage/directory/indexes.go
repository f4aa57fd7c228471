package directory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"latchkey/storage"
)

// notices returns what costs more than it should.
func (s *Source) notices(ctx context.Context, names storage.LoginNames) ([]Notice, error) {
	var notices []Notice
	indexed, err := s.indexed(ctx)
	if err != nil {
		return nil, err
	}
	table, key := s.table.Name, s.table.Columns["id"]
	if !indexed[bare(key)] {
		began := time.Now()
		if err := s.askForNobody(ctx, false); err != nil {
			return nil, err
		}
		notices = append(notices, Notice{
			fmt.Sprintf("the key %s of %s has no unique index: each login and each refresh reads the whole table, which took %s", key, table, time.Since(began).Round(10*time.Microsecond)),
			s.dialect.index("UNIQUE INDEX", table, key, key),
		})
	}
	for _, field := range []string{"username", "email"} {
		column := s.table.Columns[field]
		if field == "username" && names.NoUsername || field == "email" && !names.Email || column == "" {
			continue
		}
		expression := column
		switch {
		case names.Fold && s.dialect == Postgres:
			expression = `lower((` + column + `)::text COLLATE "C")`
		case names.Fold && s.dialect == SQLite:
			expression = "lower(" + column + ")"
		}
		if !indexed[bare(expression)] {
			notices = append(notices, Notice{
				fmt.Sprintf("%s of %s has no index: each login reads the whole table", expression, table),
				s.dialect.index("INDEX", table, column, expression),
			})
		}
	}
	return notices, nil
}

// indexed returns what the first column of an index is; of the key only unique ones count.
func (s *Source) indexed(ctx context.Context) (map[string]bool, error) {
	query, args := s.indexQuery()
	first := map[string]bool{}
	var name string
	var unique bool
	err := s.each(ctx, query, args, []any{&name, &unique}, func() error {
		if name != s.table.Columns["id"] || unique {
			first[bare(name)] = true
		}
		return nil
	})
	return first, err
}

// indexQuery returns the query of what the first column or expression of each index is, and whether the index is unique.
func (s *Source) indexQuery() (query string, args []any) {
	schema, table := s.schemaAndTable()
	switch s.dialect {
	case MySQL:
		return `SELECT column_name, non_unique = 0 FROM information_schema.statistics WHERE table_schema = coalesce(?, database()) AND table_name = ? AND seq_in_index = 1`,
			[]any{schema, table}
	case SQLite: // the statement that made an index says its expression; a key that is the rowid needs no index
		return `
			SELECT coalesce(x.name, lower(substr(m.sql, instr(m.sql, '(')))), l."unique" AND (SELECT count(*) = 1 FROM pragma_index_info(l.name, ?2))
			FROM pragma_index_list(?1, ?2) l JOIN pragma_index_xinfo(l.name, ?2) x ON x.seqno = 0 LEFT JOIN sqlite_schema m ON m.type = 'index' AND m.name = l.name
			WHERE NOT l.partial AND coalesce(x.name, m.sql) IS NOT NULL
			UNION ALL SELECT name, true FROM pragma_table_info(?1, ?2) WHERE pk = 1 AND type = 'INTEGER' COLLATE NOCASE
				AND (SELECT max(pk) FROM pragma_table_info(?1, ?2)) = 1`, []any{table, schema}
	}
	return `
		SELECT coalesce(a.attname::text, pg_get_indexdef(i.indexrelid, 1, true)), i.indisunique AND i.indnkeyatts = 1
		FROM pg_index i LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attnum > 0
		WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL`, []any{s.dialect.quote(s.table.Name)}
}

// bare returns an expression as what two spellings of it have in common.
func bare(expression string) string {
	return strings.NewReplacer("(", "", ")", "", `"`, "", "::text", "", " ", "").Replace(expression)
}
