package django

import (
	"strings"
	"testing"
)

// Django 5.2's shell says first what it has imported.
func TestInspectedTableAfterOtherLines(t *testing.T) {
	t.Parallel()
	const described = `{"latchkey_inspect": 1, "user": {"table": "people", "username_field": "email", "key": {"column": "uuid"}, "columns": {"email": "mail"}}}`
	for _, before := range []string{"", "\n", "6 objects imported automatically (use -v 2 for details).\n\n", "{}\n"} {
		table, err := InspectedTable(strings.NewReader(before + described))
		if err != nil || table.Name != "people" || table.Columns["id"] != "uuid" || table.Columns["username"] != "mail" {
			t.Errorf("%q: %v, %+v", before, err, table)
		}
	}
	if _, err := InspectedTable(strings.NewReader("6 objects imported automatically\n")); err == nil {
		t.Error("no description, and no error")
	}
}
