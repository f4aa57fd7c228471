package directory

import (
	"context"

	"latchkey/storage"
)

// Presence sorts users by whether they have an account in Django's table. An error says nothing about any user: the table is unavailable, empty, or another one
// than at the start.
func (s *Store) Presence(ctx context.Context, list []*storage.Presence) (present, absent []int64, err error) {
	subjects := make([]string, len(list))
	for i, p := range list {
		subjects[i] = p.Sub()
	}
	accounts, err := s.source.Accounts(ctx, false, subjects...)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range list {
		if accounts[p.Sub()] != nil {
			present = append(present, p.ID)
		} else {
			absent = append(absent, p.ID)
		}
	}
	if len(absent) > 0 { // the answer of Confirm may be a second old
		err = s.source.compare(ctx)
	}
	return present, absent, err
}
