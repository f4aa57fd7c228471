package django

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Table says where the users of a site are.
type Table struct {
	Name string
	// Columns are the columns by the fields of auth_user, and email_verified, which it has not; a field that the table does not have is "".
	Columns map[string]string
	// KeyType is the type of the key in the model; empty if it is not known.
	KeyType string
	// Groups is the table that joins users and groups, with the columns of both; "" for none.
	Groups, GroupsUser, GroupsGroup string
}

// DefaultTable returns auth_user.
func DefaultTable() *Table {
	t := &Table{Name: "auth_user", Columns: map[string]string{}, Groups: "auth_user_groups", GroupsUser: "user_id", GroupsGroup: "group_id"}
	for _, name := range []string{"id", "username", "password", "email", "first_name", "last_name", "is_active", "is_staff", "last_login", "date_joined"} {
		t.Columns[name] = name
	}
	t.Columns["email_verified"] = ""
	return t
}

// Set replaces columns. The error names a field that there is not.
func (t *Table) Set(columns map[string]string) error {
	for field, column := range columns {
		if _, ok := t.Columns[field]; !ok {
			return fmt.Errorf("%q is not a field. The fields are %s", field, strings.Join(slices.Sorted(maps.Keys(t.Columns)), ", "))
		}
		t.Columns[field] = column
	}
	return nil
}

// InspectedTable reads where the users are from what Script printed.
func InspectedTable(r io.Reader) (*Table, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxDictionary))
	if err != nil {
		return nil, err
	}
	var s site
	if err := json.NewDecoder(bytes.NewReader(description(text))).Decode(&s); err != nil || s.User.Table == "" || s.User.Key.Column == "" {
		return nil, fmt.Errorf("it is not what the script of `latchkey django inspect` prints")
	}
	t := DefaultTable()
	t.Name, t.KeyType = strings.ReplaceAll(s.User.Table, `"`, ""), s.User.Key.Type
	for field := range t.Columns {
		t.Columns[field] = s.User.Columns[field]
	}
	t.Columns["id"], t.Columns["username"] = s.User.Key.Column, s.User.Columns[s.User.UsernameField]
	t.Groups, t.GroupsUser, t.GroupsGroup = s.User.Groups.Table, s.User.Groups.User, s.User.Groups.Group
	return t, nil
}
