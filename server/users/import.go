package users

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/server/password"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// External is a user as another system has them.
type External struct {
	// Key is the user's id there. Problem, if not empty, says what could not be read.
	Key, Problem                                 string
	Username, Email, Hash, GivenName, FamilyName string
	Active, Staff                                bool
	// EmailVerified: the other system says that the address is the user's. Otherwise what is known here of the same address stays.
	EmailVerified bool
	// Joined and LastLogin may be zero.
	Joined, LastLogin time.Time
	Groups            []string
	// KeepGroups is true where the other system has no groups.
	KeepGroups bool
}

// ImportResult is what became of a user of another system.
type ImportResult struct {
	Key       string   `json:"key"`
	Username  string   `json:"username"`
	Imported  bool     `json:"imported"`
	Problems  []string `json:"problems"`
	Created   bool     `json:"-"`
	Changed   bool     `json:"-"`
	KeptLocal bool     `json:"-"` // the password that was set here
}

func (r *ImportResult) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Import stores users of another system (see [storage.Imports]), each with what it can keep of them. The result names what did not fit.
func (s *Service) Import(ctx context.Context, store storage.Imports, im storage.Import, external []External) ([]ImportResult, error) {
	im.Now, im.Fold = s.now(), s.cfg.Names.Fold
	results := make([]ImportResult, len(external))
	var kept []storage.ImportedUser
	var of []*ImportResult
	for i := range external {
		results[i] = ImportResult{Key: external[i].Key, Username: external[i].Username}
		u, err := s.read(&external[i], &results[i], im.Now)
		if err != nil {
			results[i].problem("not imported: %v", err)
			continue
		}
		kept, of = append(kept, *u), append(of, &results[i])
	}
	outcomes, err := store.ImportUsers(ctx, im, kept)
	if err != nil {
		return nil, fmt.Errorf("import users: %w", err)
	}
	for i, o := range outcomes {
		of[i].conclude(o)
	}
	return results, nil
}

func (r *ImportResult) conclude(o storage.ImportOutcome) {
	r.Imported, r.Created, r.Changed, r.KeptLocal = !o.Taken, o.Created, o.Changed, o.KeptPassword
	if o.Taken {
		r.problem("not imported: another user here has this username or id, or a client has this id")
	}
	if o.KeptInactive {
		r.problem("is active there and stays disabled here; use `latchkey user enable`")
	}
	if o.Shared {
		r.problem("another user has a name that is typed alike, so that a login may find the other one or neither")
	}
}

// read returns the user as they are stored.
func (s *Service) read(f *External, r *ImportResult, now time.Time) (*storage.ImportedUser, error) {
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
	return &storage.ImportedUser{User: u, Typed: s.counted(f.Username), KeepGroups: f.KeepGroups}, nil
}

// hash returns the password hash, or nothing if it could never verify.
func (f *External) hash(r *ImportResult) string {
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

// Imported records an import in the audit trail.
func (s *Service) Imported(ctx context.Context, created, changed, refused int) error {
	e := s.event(ctx, "users_imported", "operator", 0)
	e.Details = details(map[string]any{"created": created, "changed": changed, "refused": refused})
	return s.audit.Append(ctx, e)
}
