package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// importTime bounds a batch, which is thousands of rows.
const importTime = time.Minute

// stage makes the table that a batch is copied into. Plans are for a table that grows while it is written: each row is found by an index.
const stage = `
	CREATE TEMP TABLE staged (
		n integer, key text COLLATE "C", typed text COLLATE "C", id bigint, subject text COLLATE "C", username text COLLATE "C", email text,
		password_hash text, active boolean, staff boolean, auth_epoch bigint, created_at timestamptz, last_login timestamptz,
		name text, given_name text, family_name text, groups jsonb, keep_groups boolean,
		found bigint, taken boolean NOT NULL DEFAULT false, changed boolean NOT NULL DEFAULT false, kept_password boolean NOT NULL DEFAULT false,
		kept_inactive boolean NOT NULL DEFAULT false, shared boolean NOT NULL DEFAULT false
	) ON COMMIT DROP;
	SET LOCAL jit = off; -- the costs of what is switched off would call for it
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_hashjoin = off;
	SET LOCAL enable_mergejoin = off;
	SET LOCAL timezone = 'UTC'`

func stagedUser(u *storage.ImportedUser) []row.Column {
	return []row.Column{
		{Name: "typed", Field: &u.Typed},
		{Name: "id", Field: (*row.NullInt)(&u.ID)},
		{Name: "subject", Field: (*row.NullText)(&u.Subject)},
		{Name: "username", Field: &u.Username},
		{Name: "email", Field: &u.Email},
		{Name: "password_hash", Field: &u.PasswordHash},
		{Name: "active", Field: &u.Active},
		{Name: "staff", Field: &u.Staff},
		{Name: "auth_epoch", Field: &u.AuthEpoch},
		{Name: "created_at", Field: &u.CreatedAt},
		{Name: "last_login", Field: &u.LastLogin},
		{Name: "name", Field: &u.Name},
		{Name: "given_name", Field: &u.GivenName},
		{Name: "family_name", Field: &u.FamilyName},
		{Name: "groups", Field: (*row.Texts)(&u.Groups)},
		{Name: "keep_groups", Field: &u.KeepGroups},
	}
}

// importUsers takes the staged users over. The lock is that of CreateUser.
const importUsers = `
	SELECT pg_advisory_xact_lock('users_id_seq'::regclass::bigint);
	UPDATE staged s SET found = u.id FROM users u WHERE coalesce(u.subject, u.id::text COLLATE "C") = s.key;
	UPDATE staged s SET taken = true WHERE s.taken
		OR EXISTS (SELECT FROM users u WHERE u.username = s.username AND u.id IS DISTINCT FROM s.found)
		OR s.found IS NULL AND (EXISTS (SELECT FROM users u WHERE u.id = s.id) OR EXISTS (SELECT FROM clients c WHERE c.id = s.key));
	UPDATE staged s SET kept_password = u.password_hash LIKE '$%' AND u.password_hash <> s.password_hash, kept_inactive = s.active AND NOT u.active
		FROM users u WHERE u.id = s.found AND NOT s.taken AND NOT ${new_only};
	WITH changed AS (
		UPDATE users u SET username = s.username, email = s.email, email_verified = u.email_verified AND u.email = s.email, staff = s.staff,
			password_hash = CASE WHEN s.kept_password THEN u.password_hash ELSE s.password_hash END,
			active = u.active AND s.active,
			auth_epoch = CASE WHEN u.active AND NOT s.active THEN greatest(u.auth_epoch + 1, ${now}) ELSE u.auth_epoch END,
			last_login = greatest(u.last_login, s.last_login), name = coalesce(nullif(s.name, ''), u.name),
			given_name = coalesce(nullif(s.given_name, ''), u.given_name), family_name = coalesce(nullif(s.family_name, ''), u.family_name),
			groups = CASE WHEN s.keep_groups THEN u.groups ELSE s.groups END, updated_at = to_timestamp(${now} / 1000000.0)
		FROM staged s
		WHERE u.id = s.found AND NOT s.taken AND NOT ${new_only} AND (
			u.username <> s.username OR u.email <> s.email OR u.staff <> s.staff OR u.password_hash <> s.password_hash AND NOT s.kept_password
			OR u.active AND NOT s.active OR s.last_login IS NOT NULL AND u.last_login IS DISTINCT FROM greatest(u.last_login, s.last_login)
			OR s.name <> '' AND s.name <> u.name OR s.given_name <> '' AND s.given_name <> u.given_name
			OR s.family_name <> '' AND s.family_name <> u.family_name OR NOT s.keep_groups AND s.groups IS DISTINCT FROM u.groups)
		RETURNING s.n
	) UPDATE staged s SET changed = true FROM changed WHERE changed.n = s.n;
	INSERT INTO users (id, subject, username, email, password_hash, active, staff, auth_epoch, created_at, last_login, name, given_name, family_name, groups)
		SELECT coalesce(id, nextval('users_id_seq')), subject, username, email, password_hash, active, staff, auth_epoch, created_at, last_login,
			name, given_name, family_name, groups
		FROM staged WHERE found IS NULL AND NOT taken ORDER BY n;
	SELECT setval('users_id_seq', highest) FROM users_id_seq, (SELECT max(id) AS highest FROM staged WHERE NOT taken AND id < ${unfollowed}) AS s
		WHERE highest > last_value OR highest = last_value AND NOT is_called;
	UPDATE staged s SET shared = true
		WHERE NOT taken AND EXISTS (SELECT FROM users u WHERE ${username} = s.typed AND u.username <> s.username)`

const importOutcomes = `SELECT found IS NULL AND NOT taken, changed, taken, kept_password, kept_inactive, shared FROM staged ORDER BY n`

// ImportUsers implements storage.Imports: one COPY, and statements over the whole batch.
func (s *Store) ImportUsers(ctx context.Context, im storage.Import, users []storage.ImportedUser) (outcomes []storage.ImportOutcome, err error) {
	username := "u.username"
	if im.Fold {
		username = "lower(u.username)"
	}
	statements := strings.NewReplacer("${new_only}", strconv.FormatBool(im.NewOnly), "${now}", strconv.FormatInt(im.Now.UnixMicro(), 10),
		"${unfollowed}", strconv.FormatInt(storage.UnfollowedUserIDs, 10), "${username}", username).Replace(importUsers)
	err = s.within(ctx, importTime, "import users", func(ctx context.Context, conn *pgx.Conn) error {
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(context.WithoutCancel(ctx))
		if err := several(ctx, conn, stage); err != nil {
			return err
		}
		columns := append([]string{"n", "key", "taken"}, strings.Split(row.Names("", stagedUser), ", ")...)
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"staged"}, columns, stagedRows(users)); err != nil {
			return err
		}
		if err := several(ctx, conn, statements); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, importOutcomes, pgx.QueryExecModeExec) // rows carries the error
		if outcomes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[storage.ImportOutcome]); err != nil || im.DryRun {
			return err
		}
		return tx.Commit(ctx)
	})
	return outcomes, err
}

// stagedRows marks names and subjects that come twice.
func stagedRows(users []storage.ImportedUser) pgx.CopyFromSource {
	names, keys := map[string]bool{}, map[string]bool{}
	return pgx.CopyFromSlice(len(users), func(i int) ([]any, error) {
		u := &users[i]
		key := u.Sub()
		if u.ID == 0 {
			key = u.Subject
		}
		if !keyed(u.Username, key) {
			return nil, fmt.Errorf("import user %d of the batch: %w", i+1, errText)
		}
		twice := names[u.Username] || keys[key]
		names[u.Username], keys[key] = true, true
		return append([]any{i, key, twice}, row.Fields(arg, stagedUser(u))...), nil
	})
}

// several runs statements without parameters in one round trip.
func several(ctx context.Context, conn *pgx.Conn, statements string) error {
	_, err := conn.PgConn().Exec(ctx, statements).ReadAll()
	return err
}

// ImportRevokedTokens implements storage.Imports.
func (s *Store) ImportRevokedTokens(ctx context.Context, tokens []storage.RevokedToken) (int64, error) {
	jtis, ends := make([]string, len(tokens)), make([]time.Time, len(tokens))
	for i, t := range tokens {
		if !keyed(t.JTI) {
			return 0, fmt.Errorf("import revoked tokens: jti: %w", errText)
		}
		jtis[i], ends[i] = t.JTI, t.ExpiresAt
	}
	return s.change(ctx, "import revoked tokens", `
		WITH added AS (
			INSERT INTO revoked_tokens (jti, expires_at) SELECT jti, max(at) FROM unnest($1::text[], $2::timestamptz[]) AS t (jti, at) GROUP BY jti
			ON CONFLICT (jti) DO NOTHING RETURNING 1
		) SELECT count(*) FROM added`, jtis, ends)
}

// FinishImport implements storage.Imports.
func (s *Store) FinishImport(ctx context.Context) error {
	return s.within(ctx, importTime, "analyze", func(ctx context.Context, conn *pgx.Conn) error {
		return several(ctx, conn, `ANALYZE users; ANALYZE revoked_tokens`)
	})
}
