package scim_test

import (
	"context"
	"net/http"
	"testing"

	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// crowd is a store with a number of users, of which it counts how many are read.
type crowd struct {
	storage.Store
	users int64
	read  int
}

func (c *crowd) SearchUsers(_ context.Context, f storage.UserFilter) (page []*storage.User, err error) {
	for id := f.After + 1; id <= c.users && len(page) < f.Limit; id++ {
		page = append(page, &storage.User{ID: id})
	}
	c.read += len(page)
	return page, nil
}

// A filter that the database does not know is refused where there are more users than are looked at, on whichever page the first of these is.
func TestNoMoreUsersAreLookedAtThanTheMessageSays(t *testing.T) {
	t.Parallel()
	for _, users := range []int64{20_001, 20_499, 20_500, 100_000} {
		c := &crowd{Store: sqlitetest.SQLite(t), users: users}
		b := setup(t, servertest.Store(c))
		b.refused(b.call("GET", `/Users?filter=userName+sw+%22x%22`, ""), http.StatusBadRequest, "tooMany")
		if c.read > 20_500 {
			t.Errorf("%d users: %d were read", users, c.read)
		}
	}
}
