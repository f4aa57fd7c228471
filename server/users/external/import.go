package external

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/server/internal/audit"
	"latchkey/server/password"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// Importer copies users of another system, as often as it is asked to: each time these follow the other system in what was not changed here.
type Importer struct {
	Store interface {
		storage.Imports
		audit.Store
	}
	// Names are those that a login may give. Users whose names a login can't tell apart are reported.
	Names storage.LoginNames
	// Now returns the current time.
	Now func() time.Time
}

// Result is what became of a user of another system.
type Result struct {
	Key       string   `json:"key"`
	Username  string   `json:"username"`
	Imported  bool     `json:"imported"`
	Problems  []string `json:"problems"`
	Created   bool     `json:"-"`
	Changed   bool     `json:"-"`
	KeptLocal bool     `json:"-"` // the password that was set here
}

func (r *Result) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Import stores users of another system (see [storage.Imports]), each with what can be kept of them. The results are in the order of the users
// and name what could not be kept. An error means that none was stored.
func (m *Importer) Import(ctx context.Context, im storage.Import, users []User) ([]Result, error) {
	im.Now, im.Fold = m.Now().UTC().Truncate(time.Microsecond), m.Names.Fold
	results := make([]Result, len(users))
	var kept []storage.ImportedUser
	var of []*Result
	for i := range users {
		results[i] = Result{Key: users[i].Key, Username: users[i].Username}
		u, err := m.read(&users[i], &results[i], im.Now)
		if err != nil {
			results[i].problem("not imported: %v", err)
			continue
		}
		kept, of = append(kept, *u), append(of, &results[i])
	}
	outcomes, err := m.Store.ImportUsers(ctx, im, kept)
	if err != nil {
		return nil, fmt.Errorf("import users: %w", err)
	}
	for i, o := range outcomes {
		of[i].conclude(o)
	}
	return results, nil
}

func (r *Result) conclude(o storage.ImportOutcome) {
	r.Imported, r.Created, r.Changed, r.KeptLocal = !o.Taken, o.Created, o.Changed, o.KeptPassword
	if o.Taken {
		r.problem("not imported: another user here has this username or id, or a client has this id")
	}
	if o.KeptInactive {
		r.problem("is active there and stays disabled here; use `latchkey user enable`")
	}
	if o.CaseVariant {
		r.problem("another user has a name that differs in case only. Applications may take the two for one; `latchkey user update --username` renames one")
	}
	if o.Shared {
		r.problem("another user has a name that is typed alike, so that a login may find the other one or neither")
	}
}

// read returns the user as they are stored.
func (m *Importer) read(f *User, r *Result, now time.Time) (*storage.ImportedUser, error) {
	if f.Problem != "" {
		r.problem("%s", f.Problem)
	}
	if f.Key == "" {
		return nil, errors.New("the key is empty")
	}
	id, subject, err := input.Subject(0, f.Key)
	if err != nil {
		return nil, err
	}
	if i, err := strconv.ParseInt(f.Key, 10, 64); err == nil && i < 1 {
		return nil, errors.New("the key is not a positive number")
	}
	u := storage.User{
		ID: id, Subject: subject, Username: f.Username, Email: f.Email, PasswordHash: f.hash(r), Active: f.Active, Staff: f.Staff,
		CreatedAt: f.Joined, LastLogin: f.LastLogin,
		UserProfile: storage.UserProfile{
			GivenName: f.GivenName, FamilyName: f.FamilyName, Name: strings.TrimSpace(f.GivenName + " " + f.FamilyName), Groups: f.Groups,
		},
	}
	if u.CreatedAt.IsZero() || u.CreatedAt.After(now) {
		u.CreatedAt = now
	}
	// Tokens from before the import are good, so the epoch is not after the creation (see simplejwt's adoption); it differs from
	// that of an earlier import, so that removing a user and importing them again revives no session.
	u.AuthEpoch = u.CreatedAt.UnixMicro() - now.UnixMilli()
	if err := input.CheckNames(u.Username, u.Email); err != nil {
		return nil, err
	}
	if err := input.CheckProfile(&u.UserProfile); err != nil {
		r.problem("imported without names and groups: %v", err)
		u.UserProfile = storage.UserProfile{}
	}
	u.EmailVerified = f.EmailVerified && u.Email != ""
	typed := input.Username(f.Username)
	if typed != f.Username {
		r.problem("the name has spaces around it or is not in NFKC: forms look up %q, only /api/token/ takes it as it is", typed)
	}
	if m.Names.Fold {
		typed = storage.FoldASCII(typed)
	}
	return &storage.ImportedUser{User: u, Typed: typed, KeepGroups: f.KeepGroups}, nil
}

// hash returns the password hash, or nothing if it could never verify.
func (f *User) hash(r *Result) string {
	if f.Hash == "" {
		r.problem("imported without a password: it is empty")
		return ""
	}
	if err := password.Check(f.Hash); err != nil {
		r.problem("imported without a password: %v. Where letters are sent, `latchkey user send-password-link` lets them choose one", err)
		return ""
	}
	return f.Hash
}

// Finish ends an import of any number of pages: it lets the database count its rows anew, and records in the audit trail how many users were
// created, changed and refused.
func (m *Importer) Finish(ctx context.Context, created, changed, refused int) error {
	if err := m.Store.FinishImport(ctx); err != nil {
		return fmt.Errorf("finish the import: %w", err)
	}
	log := audit.Log{Store: m.Store, Now: m.Now}
	e := log.Event(ctx, "users_imported", "operator")
	e.Details = fmt.Appendf(nil, `{"created":%d,"changed":%d,"refused":%d}`, created, changed, refused)
	return log.Append(ctx, e)
}
