package users

import (
	"context"
	"time"

	"latchkey/server/internal/audit"
	"latchkey/storage"
)

// Store is the part of storage.Store that users need.
type Store interface {
	audit.Store
	CreateUser(ctx context.Context, u *storage.User) error
	User(ctx context.Context, id int64) (*storage.User, error)
	UserByUsername(ctx context.Context, username string) (*storage.User, error)
	SearchUsers(ctx context.Context, f storage.UserFilter) ([]*storage.User, error)
	ListUsers(ctx context.Context, after int64, limit int) ([]*storage.User, error)
	UpdateUser(ctx context.Context, id int64, change storage.UserChange, now time.Time, audit *storage.AuditEvent) error
	SetUserActive(ctx context.Context, id int64, active bool, now time.Time, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error
	SetUserPassword(ctx context.Context, c storage.PasswordChange, audit *storage.AuditEvent) error
	RaiseUserEpoch(ctx context.Context, id int64, now time.Time, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error
	RemoveUser(ctx context.Context, id int64, audit *storage.AuditEvent, notices ...*storage.LogoutNotice) error
	BeginLogin(ctx context.Context, a storage.LoginAttempt) (*storage.LoginCheck, error)
	TakeAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) (time.Duration, error)
	GiveBackAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) error
	CreateProvisionedUser(ctx context.Context, u *storage.User, clientID string, p storage.ProvisionedUser, audit *storage.AuditEvent) error
	ChangeProvisionedUser(ctx context.Context, id int64, c storage.ProvisionedChange, audit ...*storage.AuditEvent) error
}

// Directory is where the accounts are if they are not in the Store, which reads them there and stores what is kept of each user.
type Directory interface {
	// Enter notes that a user is about to have a session, and sets what the session has of them. samePassword says that the password
	// is the one of the hash that was remembered.
	Enter(ctx context.Context, u *storage.User, samePassword bool) error
	// Writable reports whether the Store changes passwords there.
	Writable() bool
	// SampleHashes returns up to limit of the password hashes there.
	SampleHashes(ctx context.Context, limit int) ([]string, error)
}
