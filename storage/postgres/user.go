package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

var (
	userColumns = row.Names("", row.User)
	userBySub   = `SELECT ` + userColumns + ` FROM users WHERE coalesce(subject, id::text COLLATE "C") = $1`
	// createUser draws the ID if it is NULL. A client whose ID is the subject keeps the user away, and another user with the name. Callers hold
	// lockSubjects.
	createUser = `INSERT INTO users (` + userColumns + `) SELECT ` +
		strings.Replace(values(1, row.User), "$1", "coalesce($1::bigint, nextval('users_id_seq'))", 1) +
		` WHERE NOT EXISTS (SELECT FROM clients WHERE clients.id = ` + userSubject + `) AND ` + freeName + ` RETURNING id`
	// freeName is the condition that no user has the name, whatever the case of its ASCII letters.
	freeName = `NOT EXISTS (SELECT FROM users WHERE lower(username) = lower(` + userName + ` COLLATE "C"))`
	// userSubject is the parameter of the subject, NULL if the ID stands for it.
	userSubject = userParameter("subject")
	userName    = userParameter("username")
)

// userParameter returns the parameter of a column in createUser.
func userParameter(column string) string {
	return "$" + strconv.Itoa(1+slices.IndexFunc(row.User(new(storage.User)), func(c row.Column) bool { return c.Name == column }))
}

// lockSubjects makes what creates users and clients run one at a time.
const lockSubjects = `SELECT pg_advisory_xact_lock('users_id_seq'::regclass::bigint)`

// joinedUser returns the columns of the user u of another row; all are NULL if the user was removed.
func joinedUser(columns func(*storage.User) []row.Column) string { return row.Names("u.", columns) }

// joinUser joins the user whose ID is in a column. OFFSET 0 keeps Postgres from comparing orders and kinds of joins, of which one is
// right: planning and reading took two thirds of the time of a plain LEFT JOIN.
func joinUser(column string, columns func(*storage.User) []row.Column) string {
	return `LEFT JOIN LATERAL (SELECT ` + row.Names("", columns) + ` FROM ` + presentUsers + ` WHERE id = ` + column + ` OFFSET 0) AS u ON true`
}

// found returns nil for a user who was read together with another row and does not exist.
func found(u *storage.User) *storage.User {
	if u.ID == 0 {
		return nil
	}
	return u
}

// CreateUser implements storage.Users.
//
// Sequences are not transactional: another caller may draw an ID between reading how far the sequence is and raising it.
// So callers that draw an ID and callers that choose one take the same lock until the end of the transaction. So does CreateClient: of
// a user and a client with one subject, who are created at once, one comes second and sees the other.
func (s *Store) CreateUser(ctx context.Context, u *storage.User) error {
	if !keyed(u.Username, u.Subject) {
		return fmt.Errorf("create user: username or subject: %w", errText)
	}
	return s.createUser(ctx, "create user", u, func(*arguments) string { return "" })
}

// createUser creates a user; with returns the CTEs that go with it, and adds their arguments.
func (s *Store) createUser(ctx context.Context, what string, u *storage.User, with func(*arguments) string) error {
	stored := *u
	stored.AuthEpoch = u.CreatedAt.UnixMicro()
	args := arguments(row.Fields(arg, row.User(&stored)))
	statement := `WITH changed AS (` + createUser + `)` + with(&args) + ` SELECT coalesce((SELECT id FROM changed), 0)`
	b := &pgx.Batch{}
	b.Queue(lockSubjects)
	queueGivenID(b, u.ID)
	b.Queue(statement, args...).QueryRow(scanTo(&stored.ID))
	err := s.batch(ctx, what, b)
	err = unless(stored.ID != 0, err, what, errTaken)
	if err == nil {
		u.ID, u.AuthEpoch = stored.ID, stored.AuthEpoch
	}
	return err
}

var errTaken = fmt.Errorf("another user has the username in this or another case, or a client has the subject as its id: %w", storage.ErrExists)

// queueGivenID raises the sequence to an ID that is not drawn from it; 0 is none.
func queueGivenID(b *pgx.Batch, id int64) {
	if id != 0 && id < storage.UnfollowedUserIDs {
		b.Queue(`SELECT setval('users_id_seq', $1) FROM users_id_seq WHERE $1 > last_value OR $1 = last_value AND NOT is_called`, id)
	}
}

// UserBySubject implements storage.Users.
func (s *Store) UserBySubject(ctx context.Context, subject string) (*storage.User, error) {
	if !keyed(subject) {
		return nil, fmt.Errorf("read user: %w", storage.ErrNotFound)
	}
	return queryRow(ctx, s, "read user", scan(row.User), userBySub, subject)
}

// SearchUsers implements storage.UserSearch.
func (s *Store) SearchUsers(ctx context.Context, f storage.UserFilter) ([]*storage.User, error) {
	where, args, ok := selectUsers(f)
	if !ok {
		return nil, nil
	}
	args = append(args, limited(f.Limit), int64(max(f.Offset, 0)))
	return queryRows(ctx, s, "search users", scan(row.User), `SELECT `+userColumns+` FROM users WHERE `+where+` ORDER BY id LIMIT $8 OFFSET $9`, args...)
}

// CountUsers implements storage.Provisioning.
func (s *Store) CountUsers(ctx context.Context, f storage.UserFilter) (int, error) {
	where, args, ok := selectUsers(f)
	if !ok {
		return 0, nil
	}
	n, err := s.count(ctx, "count users", `SELECT count(*) FROM users WHERE `+where, args...)
	return int(n), err
}

// selectUsers returns the condition of a filter with its seven parameters; false if it selects no user.
func selectUsers(f storage.UserFilter) (where string, args []any, ok bool) {
	username, email := "username", "email"
	if f.Fold { // as the indexes have it
		username, email = "lower(username)", asciiLower("email")
		f.Username, f.Email = storage.FoldASCII(f.Username), storage.FoldASCII(f.Email)
	}
	return `id > $1 AND ($2::text IS NULL OR ` + username + ` = $2) AND ($3::text IS NULL OR ` + email + ` = $3)
			AND ($4::text IS NULL OR coalesce(subject, id::text COLLATE "C") = $4) AND ($5::text IS NULL OR groups ? $5)
			AND ($6::text IS NULL OR position($6 IN ` + asciiLower("username") + `) > 0 OR position($6 IN ` + asciiLower("email") + `) > 0
				OR position($6 IN ` + asciiLower("name") + `) > 0)
			AND ($7::boolean IS NULL OR active = $7)`,
		[]any{
			f.After, zeronull.Text(f.Username), zeronull.Text(f.Email), zeronull.Text(f.Subject), zeronull.Text(f.Group),
			zeronull.Text(storage.FoldASCII(f.Text)), f.Active,
		}, keyed(f.Username, f.Email, f.Subject, f.Group, f.Text)
}

// asciiLower is the SQL of storage.FoldASCII of a column.
func asciiLower(column string) string { return `lower(` + column + ` COLLATE "C")` }

// ListGroups implements storage.UserSearch.
func (s *Store) ListGroups(ctx context.Context, after string, limit int) ([]*storage.Group, error) {
	if !keyed(after) {
		return nil, nil
	}
	return queryRows(ctx, s, "list groups", func(r pgx.CollectableRow) (*storage.Group, error) {
		g := new(storage.Group)
		return g, r.Scan(&g.Name, &g.Users)
	}, `
		SELECT name, sum(members) FROM (
			SELECT member COLLATE "C" AS name, 1 AS members FROM users, jsonb_array_elements_text(groups) AS member
			UNION ALL SELECT name, 0 FROM provisioned_groups
		) AS g WHERE name > $1 GROUP BY name ORDER BY name LIMIT $2`, after, limited(limit))
}

// UpdateUser implements storage.Users.
func (s *Store) UpdateUser(ctx context.Context, id int64, change storage.UserChange, now time.Time, audit *storage.AuditEvent) error {
	if change.Username != nil {
		err := s.changeUser(ctx, "update user", id, storage.ProvisionedChange{UserChange: change, Now: now}, audit)
		if change.Was != nil && errors.Is(err, storage.ErrNotFound) {
			err = fmt.Errorf("update user: %w", storage.ErrConflict)
		}
		return err
	}
	columns := row.UserChange(&change, &now)
	var set []string
	for i, c := range columns {
		set = append(set, c.Name+` = $`+strconv.Itoa(i+3))
	}
	where, args := `id = $2`, append([]any{events(audit), id}, row.Fields(arg, columns)...)
	if change.Was != nil {
		for _, c := range row.UserState(change.Was) {
			where += ` AND ` + c.Name + ` IS NOT DISTINCT FROM $` + strconv.Itoa(len(args)+1)
			args = append(args, arg(c.Field))
		}
	}
	err := s.execOne(ctx, "update user", `
		WITH changed AS (UPDATE users SET `+strings.Join(set, ", ")+` WHERE `+where+` RETURNING id)`+logChanged, args...)
	if change.Was != nil && errors.Is(err, storage.ErrNotFound) {
		err = fmt.Errorf("update user: %w", storage.ErrConflict)
	}
	return err
}

// removeUser removes the user that a condition selects, and stores the logout notices of a parameter. A foreign key removes the consents.
func removeUser(where, notices string) string {
	return `
		WITH changed AS (DELETE FROM users WHERE ` + where + ` RETURNING id),
		codes AS (UPDATE authorization_codes SET claims = '' FROM changed WHERE user_id = changed.id),
		devices AS (DELETE FROM device_codes USING changed WHERE user_id = changed.id),
		sessions AS (DELETE FROM browser_sessions USING changed WHERE user_id = changed.id),
		held AS (UPDATE grants SET address = '', user_agent = '', claims = '' FROM changed WHERE user_id = changed.id)` + withNotices(notices) + logChanged
}

// RemoveUser implements storage.Users.
func (s *Store) RemoveUser(ctx context.Context, id int64, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error {
	return s.execOne(ctx, "remove user", removeUser(`id = $2`, "$3"), events(audit), id, logoutNotices(notices))
}
