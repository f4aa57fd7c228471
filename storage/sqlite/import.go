package sqlite

import (
	"context"
	"errors"
	"slices"
	"time"

	"latchkey/storage"
	"latchkey/storage/internal/row"
)

// errDryRun undoes an import that was tried.
var errDryRun = errors.New("dry run")

// ImportUsers implements [storage.Imports].
func (s *Store) ImportUsers(ctx context.Context, im storage.Import, users []storage.ImportedUser) ([]storage.ImportOutcome, error) {
	outcomes := make([]storage.ImportOutcome, len(users))
	var tried bool
	err := s.write(ctx, "import users", func(t *tx) {
		for i := range users {
			t.check(keyed(users[i].Username, users[i].Subject), row.ErrText)
			outcomes[i] = t.importUser(&im, &users[i])
		}
		for i := range users {
			outcomes[i].Shared = !outcomes[i].Taken && t.shared(&im, &users[i])
			outcomes[i].CaseVariant = !outcomes[i].Taken && !im.Fold && t.variant(users[i].Username)
		}
		if tried = im.DryRun && t.err == nil; tried {
			t.fail(errDryRun)
		}
	})
	if tried {
		err = nil
	}
	return outcomes, err
}

func (t *tx) importUser(im *storage.Import, u *storage.ImportedUser) (o storage.ImportOutcome) {
	key := u.Subject
	if u.ID != 0 {
		key = u.Sub()
	}
	known, found := find(t, row.User, userBySub, key)
	var other int64
	taken := t.row(`SELECT id FROM users WHERE username = ?`, []any{u.Username}, &other) && (!found || other != known.ID)
	var client string
	taken = taken || !found && t.row(`SELECT id FROM users WHERE id = ?`, []any{u.ID}, &other)
	if taken || !found && t.row(`SELECT id FROM clients WHERE id = ?`, []any{key}, &client) {
		return storage.ImportOutcome{Taken: true}
	}
	if !found {
		created := u.User
		t.insertUser(&created)
		return storage.ImportOutcome{Created: true}
	}
	if im.NewOnly {
		return o
	}
	o.KeptPassword = known.PasswordHash != "" && known.PasswordHash[0] == '$' && known.PasswordHash != u.PasswordHash
	o.KeptInactive = u.Active && !known.Active
	o.Changed = t.updateImported(im.Now, known, merged(*known, u, o.KeptPassword))
	return o
}

// merged returns a known user with what comes from the other system.
func merged(known storage.User, u *storage.ImportedUser, keepPassword bool) *storage.User {
	known.EmailVerified = u.EmailVerified || known.EmailVerified && known.Email == u.Email
	known.Username, known.Email, known.Staff, known.Active = u.Username, u.Email, u.Staff, known.Active && u.Active
	if !keepPassword {
		known.PasswordHash = u.PasswordHash
	}
	if u.LastLogin.After(known.LastLogin) {
		known.LastLogin = u.LastLogin
	}
	for to, from := range map[*string]string{&known.Name: u.Name, &known.GivenName: u.GivenName, &known.FamilyName: u.FamilyName} {
		if from != "" {
			*to = from
		}
	}
	if !u.KeepGroups {
		known.Groups = u.Groups
	}
	return &known
}

// updateImported writes a user who differs from the known one.
func (t *tx) updateImported(now time.Time, known, u *storage.User) bool {
	if known.Username == u.Username && known.Email == u.Email && known.EmailVerified == u.EmailVerified && known.Staff == u.Staff && known.Active == u.Active &&
		known.PasswordHash == u.PasswordHash && known.LastLogin.Equal(u.LastLogin) && known.Name == u.Name &&
		known.GivenName == u.GivenName && known.FamilyName == u.FamilyName && slices.Equal(known.Groups, u.Groups) {
		return false
	}
	if known.Active && !u.Active {
		u.AuthEpoch = max(known.AuthEpoch+1, now.UnixMicro())
	}
	groups := textsField(u.Groups)
	t.exec(`
		UPDATE users SET username = ?, email = ?, email_verified = ?, staff = ?, active = ?, auth_epoch = ?, password_hash = ?, last_login = ?,
			name = ?, given_name = ?, family_name = ?, groups = ?, updated_at = ?
		WHERE id = ?`,
		u.Username, row.Plain(u.Email), u.EmailVerified, u.Staff, u.Active, u.AuthEpoch, row.Plain(u.PasswordHash), micros(u.LastLogin),
		row.Plain(u.Name), row.Plain(u.GivenName), row.Plain(u.FamilyName), &groups, now.UnixMicro(), u.ID)
	return true
}

// shared reports whether another user has a name that is typed as this one's is.
func (t *tx) shared(im *storage.Import, u *storage.ImportedUser) bool {
	username := "username"
	if im.Fold {
		username = "lower(username)"
	}
	var id int64
	return t.row(`SELECT id FROM users WHERE `+username+` = ? AND username <> ? LIMIT 1`, []any{u.Typed, u.Username}, &id)
}

// variant reports whether another user has the name in another case.
func (t *tx) variant(username string) bool {
	return t.row(`SELECT id FROM users WHERE lower(username) = lower(?1) AND username <> ?1 LIMIT 1`, []any{username}, new(int64))
}

// ImportRevokedTokens implements [storage.Imports].
func (s *Store) ImportRevokedTokens(ctx context.Context, tokens []storage.RevokedToken) (int64, error) {
	return writeFor(ctx, s, "import revoked tokens", func(t *tx) (added int64) {
		for _, revoked := range tokens {
			t.check(keyed(revoked.JTI), row.ErrText)
			added += t.exec(`INSERT INTO revoked_tokens (jti, expires_at) VALUES (?, ?) ON CONFLICT (jti) DO NOTHING`, revoked.JTI, revoked.ExpiresAt.UnixMicro())
		}
		return added
	})
}

// FinishImport implements [storage.Imports].
func (s *Store) FinishImport(ctx context.Context) error {
	return s.write(ctx, "analyze", func(t *tx) { t.exec(`PRAGMA optimize`) })
}
