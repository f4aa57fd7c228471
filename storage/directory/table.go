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
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = d.identifier(part)
	}
	return strings.Join(parts, ".")
}

// identifier returns a name whose dots are part of it as an identifier.
func (d dialect) identifier(name string) string {
	mark := `"`
	if d.mysql {
		mark = "`"
	}
	return mark + strings.ReplaceAll(name, mark, mark+mark) + mark
}

// column returns a column of the table d.
func (d dialect) column(name string) string { return "d." + d.identifier(name) }

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
