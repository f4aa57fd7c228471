package storage

import (
	"context"
	"time"
)

// Imports stores what comes from another system in bulk.
type Imports interface {
	// ImportUsers stores users of another system, all of them or, with an error, none. A user whose subject is unknown is created under
	// their ID; an ID of 0 draws one. Of a known one these become those of the other system: username, e-mail address, staff, the
	// names, the groups, a later last login, and the password hash as long as none was written here. A user who is inactive in either
	// system is inactive, and the epoch is raised when that begins here. Doing it again changes nothing. It returns the outcome of each user in their order.
	ImportUsers(ctx context.Context, im Import, users []ImportedUser) ([]ImportOutcome, error)

	// ImportRevokedTokens is RevokeToken for many tokens, without events. It returns how many were not revoked before.
	ImportRevokedTokens(ctx context.Context, tokens []RevokedToken) (int64, error)

	// FinishImport makes the database count its rows anew, so that statements are planned for as many as there are now.
	FinishImport(ctx context.Context) error
}

// Import says how users are imported.
type Import struct {
	Now time.Time
	// NewOnly leaves known users as they are, DryRun leaves everything as it is.
	NewOnly, DryRun bool
	// Fold compares ImportedUser.Typed without regard to the case of ASCII letters; it is in lower case then.
	Fold bool
}

// ImportedUser is a user of another system. AuthEpoch is stored as it is; of the profile only the names, the groups
// and EmailVerified are; an address that is verified here and the same there stays so.
type ImportedUser struct {
	User
	// Typed is what a login by Username looks up.
	Typed string
	// KeepGroups leaves the groups of a known user as they are.
	KeepGroups bool
}

// ImportOutcome is what became of an ImportedUser.
type ImportOutcome struct {
	Created, Changed bool
	// Taken is true of a user who was not stored because another one has the username or the ID.
	Taken bool
	// KeptPassword: the password hash was written here and stays. KeptInactive: the user stays inactive, as they are here.
	KeptPassword, KeptInactive bool
	// CaseVariant: the name differs from that of another user in the case of ASCII letters only. It isn't looked for where names fold: there
	// Shared says it.
	CaseVariant bool
	// Shared: another user has a name for which Typed stands too.
	Shared bool
}

// RevokedToken is a token that was ended before it expired.
type RevokedToken struct {
	JTI       string
	ExpiresAt time.Time
}
