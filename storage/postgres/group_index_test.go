package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// What is about one group finds its members by the index, without reading all users: with a million of them that takes some
// milliseconds instead of a quarter of a second, and most of a second for a change, which others wait for.
func TestMembersOfAGroupAreFoundByTheIndex(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), postgrestest.URL(t)
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(ctx) })
	for _, statement := range []string{
		`INSERT INTO users (id, username, email, password_hash, active, staff, auth_epoch, created_at, groups)
			SELECT i, 'user-' || i, '', '', true, false, 1, now(), CASE WHEN i % 4 = 0 THEN jsonb_build_array('everyone', 'team-' || i % 2000) END
			FROM generate_series(1, 20000) AS i`,
		`VACUUM ANALYZE users`, // what was written just now is in a list that the planner holds against the index
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	scans := func() (n int) {
		if err := conn.QueryRow(ctx, `SELECT coalesce(sum(idx_scan), 0)::int FROM pg_stat_user_indexes WHERE indexrelname = 'users_groups_idx'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	group := storage.ProvisionedGroup{ID: storage.NewID(noon), Name: "team-4", CreatedAt: noon, UpdatedAt: noon}
	name := "team"
	for what, call := range map[string]func(s *postgres.Store) error{
		"list the members": func(s *postgres.Store) error {
			list, err := s.GroupMembers(ctx, []string{"team-8"})
			if err == nil && len(list) != 10 {
				t.Errorf("%d members", len(list))
			}
			return err
		},
		"search users by group": func(s *postgres.Store) error {
			_, err := s.SearchUsers(ctx, storage.UserFilter{Group: "team-8", Limit: 100})
			return err
		},
		"give a group an id": func(s *postgres.Store) error { return s.AdoptGroups(ctx, []string{"team-12"}, noon) },
		"rename and remove a group": func(s *postgres.Store) error {
			if err := s.CreateProvisionedGroup(ctx, &group, "", nil); err != nil {
				return err
			}
			if err := s.ChangeGroup(ctx, storage.GroupChange{ID: group.ID, Name: &name, Now: noon}); err != nil {
				return err
			}
			return s.RemoveProvisionedGroup(ctx, group.ID, nil, noon)
		},
	} {
		want := scans() + 1
		if what == "rename and remove a group" {
			want++
		}
		s, err := postgres.Open(ctx, postgres.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		if err := call(s); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := s.Close(); err != nil { // connections count when they end
			t.Fatal(err)
		}
		for end := time.Now().Add(5 * time.Second); scans() < want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Errorf("%s: all users were read", what)
				break
			}
		}
	}
}
