package postgres

import (
	"strings"
	"sync"
)

// presentUsers is the table of the users in statements that depend on what the user is at this moment: whether they may do something,
// and what applications learn about them. See ReadUsersFrom.
const presentUsers = `users AS present`

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
