package users_test

import (
	"context"
	"errors"
	"testing"

	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// TestEnding calls for the sending of notices after they were stored, if there are any, and hands them to what ends the sessions.
func TestEnding(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	one := []*storage.LogoutNotice{{ClientID: "app"}}
	for name, c := range map[string]struct {
		notices        []*storage.LogoutNotice
		notFound, ends error
		sent           int
	}{
		"a client":                   {one, nil, nil, 1},
		"no client":                  {nil, nil, nil, 0},
		"the end fails":              {one, nil, failed, 0},
		"clients can't be looked up": {nil, failed, nil, 0},
	} {
		sent, stored := 0, 0
		s := users.New(users.Config{
			Store:   sqlitetest.SQLite(t),
			Notices: func(context.Context, int64) ([]*storage.LogoutNotice, error) { return c.notices, c.notFound },
			Noticed: func() { sent++ },
		})
		err := s.Ending(t.Context(), 7, func(notices ...*storage.LogoutNotice) error {
			stored += len(notices)
			if sent > 0 {
				t.Errorf("%s: sent before they were stored", name)
			}
			return c.ends
		})
		if want := errors.Join(c.notFound, c.ends); errors.Is(err, failed) != (want != nil) {
			t.Errorf("%s: error %v", name, err)
		}
		if sent != c.sent || stored != len(c.notices) {
			t.Errorf("%s: %d stored, sent %d times", name, stored, sent)
		}
	}
}
