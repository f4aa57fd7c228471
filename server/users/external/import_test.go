package external_test

import (
	"strings"
	"testing"
	"time"

	"latchkey/server/users/external"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// Django has users whose names differ in case only: they are imported, and reported.
func TestNamesThatDifferInCaseOnlyAreReported(t *testing.T) {
	t.Parallel()
	store := sqlitetest.SQLite(t)
	if err := store.CreateUser(t.Context(), &storage.User{Username: "bob", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	m := &external.Importer{Store: store, Now: time.Now}
	results, err := m.Import(t.Context(), storage.Import{}, []external.User{
		{Key: "77", Username: "BOB", Hash: "!", Active: true}, {Key: "78", Username: "dora", Hash: "!", Active: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		r := results[i]
		if got := strings.Contains(strings.Join(r.Problems, "\n"), "differs in case only"); got != want || !r.Created {
			t.Errorf("%+v", r)
		}
	}
}
