package row

import (
	"strconv"
	"strings"
)

// Where is a condition that is put together for a filter.
type Where struct {
	// Conditions follow a first condition: each begins with AND.
	Conditions string
	// Args are the arguments of the statement.
	Args []any
}

// And adds a condition if the filter has it. The argument stands for each question mark.
func (w *Where) And(has bool, condition string, arg any) {
	if has {
		w.Args = append(w.Args, arg)
		w.Conditions += ` AND ` + strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(w.Args)))
	}
}

// Limit returns the LIMIT of a filter, none for 0, and adds its argument.
func (w *Where) Limit(n int) string {
	if n <= 0 {
		return ""
	}
	w.Args = append(w.Args, n)
	return ` LIMIT $` + strconv.Itoa(len(w.Args))
}

// PresentUsers is the table of the users in statements that depend on what the user is at this moment: whether they may do something,
// and what applications learn about them. Postgres can read them elsewhere.
const PresentUsers = `users AS present`
