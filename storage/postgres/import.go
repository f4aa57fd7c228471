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

// stage makes the table that a batch is copied into. Plans are for a table that grows while it is written, and that was empty when it was last
// counted: each row is found by an index. An EXISTS with OFFSET is asked for each row, and never becomes a join.
const stage = `
	CREATE TEMP TABLE staged (
		n integer, key text COLLATE "C", typed text COLLATE "C", id bigint, subject text COLLATE "C", username text COLLATE "C", email text,
		password_hash text, active boolean, staff boolean, auth_epoch bigint, created_at timestamptz, last_login timestamptz,
		name text, given_name text, family_name text, groups jsonb, keep_groups boolean, email_verified boolean,
		found bigint, taken boolean NOT NULL, kept_password boolean NOT NULL DEFAULT false,
		kept_inactive boolean NOT NULL DEFAULT false
	) ON COMMIT DROP;
	SET LOCAL jit = off; -- the costs of what is switched off would call for it
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_hashjoin = off;
	SET LOCAL enable_mergejoin = off;
	SET LOCAL enable_material = off;
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
		{Name: "email_verified", Field: &u.EmailVerified},
	}
}

// findKnown finds the staged users who are known. Most imports have new users only, so that no staged row is written here:
// a row costs two to three times as much otherwise. The lock is that of CreateUser.
const findKnown = `
	SELECT pg_advisory_xact_lock('users_id_seq'::regclass::bigint);
	UPDATE staged s SET found = u.id,
		taken = s.taken OR u.username <> s.username AND EXISTS (SELECT FROM users o WHERE o.username = s.username OFFSET 0),
		kept_password = NOT ${new_only} AND u.password_hash LIKE '$%' AND u.password_hash <> s.password_hash,
		kept_inactive = NOT ${new_only} AND s.active AND NOT u.active
		FROM users u WHERE coalesce(u.subject, u.id::text COLLATE "C") = s.key`

// changeUsers changes known users and returns them.
const changeUsers = `
		UPDATE users u SET username = s.username, email = s.email, email_verified = s.email_verified OR u.email_verified AND u.email = s.email, staff = s.staff,
			password_hash = CASE WHEN s.kept_password THEN u.password_hash ELSE s.password_hash END,
			active = u.active AND s.active,
			auth_epoch = CASE WHEN u.active AND NOT s.active THEN greatest(u.auth_epoch + 1, ${now}) ELSE u.auth_epoch END,
			last_login = greatest(u.last_login, s.last_login), name = coalesce(nullif(s.name, ''), u.name),
			given_name = coalesce(nullif(s.given_name, ''), u.given_name), family_name = coalesce(nullif(s.family_name, ''), u.family_name),
			groups = CASE WHEN s.keep_groups THEN u.groups ELSE s.groups END, updated_at = to_timestamp(${now} / 1000000.0)
		FROM staged s
		WHERE u.id = s.found AND NOT s.taken AND NOT ${new_only} AND (
			u.username <> s.username OR u.email <> s.email OR s.email_verified AND NOT u.email_verified OR u.staff <> s.staff OR u.password_hash <> s.password_hash AND NOT s.kept_password
			OR u.active AND NOT s.active OR s.last_login IS NOT NULL AND u.last_login IS DISTINCT FROM greatest(u.last_login, s.last_login)
			OR s.name <> '' AND s.name <> u.name OR s.given_name <> '' AND s.given_name <> u.given_name
			OR s.family_name <> '' AND s.family_name <> u.family_name OR NOT s.keep_groups AND s.groups IS DISTINCT FROM u.groups)
		RETURNING s.n`

// createUsers returns the names of those who were created. It fails if one has the name or the ID of another user; then it is run again with
// ON CONFLICT, which leaves such users out: that takes half as long again, since it looks for them before it stores a row.
const createUsers = `
	INSERT INTO users (id, subject, username, email, password_hash, active, staff, auth_epoch, created_at, last_login, name, given_name, family_name, groups, email_verified)
		SELECT coalesce(id, nextval('users_id_seq')), subject, username, email, password_hash, active, staff, auth_epoch, created_at, last_login,
			name, given_name, family_name, groups, email_verified
		FROM staged s WHERE found IS NULL AND NOT taken AND NOT EXISTS (SELECT FROM clients c WHERE c.id = s.key OFFSET 0) ORDER BY n
		${conflict} RETURNING username`

// followIDs makes the sequence go on after the greatest ID that was stored.
const followIDs = `
	SELECT setval('users_id_seq', highest) FROM users_id_seq, (
		SELECT s.id AS highest FROM staged s WHERE s.id < ${unfollowed} AND EXISTS (SELECT FROM users u WHERE u.id = s.id OFFSET 0) ORDER BY s.id DESC LIMIT 1
	) AS s
	WHERE highest > last_value OR highest = last_value AND NOT is_called`

// knownUsers returns what became of the known users.
const knownUsers = `SELECT n, taken, NOT taken AND kept_password, NOT taken AND kept_inactive FROM staged WHERE found IS NOT NULL`

// sharedNames returns the staged users whose name as it is typed may find another user.
const sharedNames = `
	SELECT n FROM staged s WHERE (${fold} OR s.typed <> s.username)
		AND EXISTS (SELECT FROM users u WHERE ${username} = s.typed AND u.username <> s.username OFFSET 0)`

// caseVariants returns the staged users whose name differs from that of another user in case only.
const caseVariants = `
	SELECT n FROM staged s
		WHERE EXISTS (SELECT FROM users u WHERE lower(u.username) = lower(s.username) AND u.username <> s.username OFFSET 0) AND NOT ${fold}`

// ImportUsers implements storage.Imports: one COPY, and statements over the whole batch.
func (s *Store) ImportUsers(ctx context.Context, im storage.Import, users []storage.ImportedUser) (outcomes []storage.ImportOutcome, err error) {
	username := "u.username"
	if im.Fold {
		username = "lower(u.username)"
	}
	as := strings.NewReplacer("${new_only}", strconv.FormatBool(im.NewOnly), "${now}", strconv.FormatInt(im.Now.UnixMicro(), 10),
		"${unfollowed}", strconv.FormatInt(storage.UnfollowedUserIDs, 10), "${username}", username, "${fold}", strconv.FormatBool(im.Fold))
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
		if err := several(ctx, conn, as.Replace(findKnown)); err != nil {
			return err
		}
		if outcomes, err = importOutcomes(ctx, tx, as, users); err != nil || im.DryRun {
			return err
		}
		if err := several(ctx, conn, as.Replace(followIDs)); err != nil { // after a dry run it would stay
			return err
		}
		return tx.Commit(ctx)
	})
	return outcomes, err
}

// importOutcomes changes the known users, creates the new ones and returns what became of all.
func importOutcomes(ctx context.Context, tx pgx.Tx, as *strings.Replacer, users []storage.ImportedUser) ([]storage.ImportOutcome, error) {
	var n int
	changed := map[int]bool{}
	if err := eachRow(ctx, tx, as.Replace(changeUsers), []any{&n}, func() { changed[n] = true }); err != nil {
		return nil, err
	}
	created, err := createStaged(ctx, tx, len(users))
	if err != nil {
		return nil, err
	}
	outcomes := make([]storage.ImportOutcome, len(users))
	for i := range users { // of two users with one name only the first can have been stored
		outcomes[i] = storage.ImportOutcome{Created: created[users[i].Username], Taken: !created[users[i].Username]}
		created[users[i].Username] = false
	}
	var o storage.ImportOutcome
	if err := eachRow(ctx, tx, knownUsers, []any{&n, &o.Taken, &o.KeptPassword, &o.KeptInactive}, func() {
		o.Changed = changed[n]
		outcomes[n] = o
	}); err != nil {
		return nil, err
	}
	if err := eachRow(ctx, tx, as.Replace(caseVariants), []any{&n}, func() { outcomes[n].CaseVariant = !outcomes[n].Taken }); err != nil {
		return nil, err
	}
	err = eachRow(ctx, tx, as.Replace(sharedNames), []any{&n}, func() { outcomes[n].Shared = !outcomes[n].Taken })
	return outcomes, err
}

// createStaged creates the new users and returns their names.
func createStaged(ctx context.Context, tx pgx.Tx, n int) (created map[string]bool, err error) {
	try := func(tx pgx.Tx, conflict string) error {
		created = make(map[string]bool, n)
		var name string
		return eachRow(ctx, tx, strings.Replace(createUsers, "${conflict}", conflict, 1), []any{&name}, func() { created[name] = true })
	}
	all, err := tx.Begin(ctx) // a savepoint
	if err != nil {
		return nil, err
	}
	if err = try(all, ""); err == nil {
		return created, all.Commit(ctx)
	}
	if code(err) != "23505" { // unique_violation
		return nil, err
	}
	if err = all.Rollback(ctx); err == nil {
		err = try(tx, "ON CONFLICT DO NOTHING")
	}
	return created, err
}

func eachRow(ctx context.Context, tx pgx.Tx, query string, into []any, do func()) error {
	rows, _ := tx.Query(ctx, query, pgx.QueryExecModeExec) // rows carries the error
	_, err := pgx.ForEachRow(rows, into, func() error {
		do()
		return nil
	})
	return err
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
