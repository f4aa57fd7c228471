package postgres

import (
	"strings"
	"sync"

	"latchkey/storage/internal/row"
)

// presentUsers is a table that ReadUsersFrom replaces.
const presentUsers = row.PresentUsers

// directory is a query that replaces presentUsers.
type directory struct {
	query string
	texts sync.Map // statement to statement with the query
}

func (d *directory) text(statement string) string {
	if text, ok := d.texts.Load(statement); ok {
		return text.(string)
	}
	text := strings.ReplaceAll(statement, presentUsers, `(`+d.query+`) AS present`)
	d.texts.Store(statement, text)
	return text
}
