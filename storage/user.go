package storage

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// User is a person who can log in.
type User struct {
	// ID is positive. It may come from another system (Django's auth_user.id).
	ID int64
	// Subject is the user's id as tokens carry it, unique; empty stands for the decimal text of ID. See [User.Sub].
	Subject string
	// Username is unique, compared byte for byte, stored as given (the caller normalises it to NFKC).
	Username string
	Email    string
	// PasswordHash is a PHC string or one of Django's formats; empty when the user has no password.
	PasswordHash string
	Active       bool
	Staff        bool
	// AuthEpoch is carried by each grant from its issue; raising it ends all of the user's grants at once.
	// It starts at the microsecond of creation, so that a user with the ID of a removed one revives no grant.
	AuthEpoch int64
	CreatedAt time.Time
	LastLogin time.Time

	UserProfile
}

// UserProfile is what applications ask about a user. It decides nothing: who may log in, and which grants live, is in [User].
type UserProfile struct {
	EmailVerified bool
	// Name is the full name as it is shown; the claim falls back to the username.
	Name       string
	GivenName  string
	FamilyName string
	// Picture is the URL of an image.
	Picture string
	// Locale is a BCP 47 tag, ZoneInfo a name of the IANA time zone database.
	Locale   string
	ZoneInfo string
	// Groups are names, which may have spaces, in the order of the operator.
	Groups []string
	// Attributes are the operator's own values, a JSON object or nil.
	Attributes json.RawMessage
	// UpdatedAt is when the profile, the name or the e-mail address was last changed; zero if never since CreatedAt.
	UpdatedAt time.Time
}

// UserChange is what [Users.UpdateUser] changes. Fields that are nil stay as they are.
type UserChange struct {
	Username, Email                                        *string
	EmailVerified, Staff                                   *bool
	Name, GivenName, FamilyName, Picture, Locale, ZoneInfo *string
	Groups                                                 *[]string
	Attributes                                             *json.RawMessage

	// Was, unless nil, is the user as the caller has read them: the change is made only while that is what is stored.
	Was *User
}

// PasswordChange replaces the password of a user.
type PasswordChange struct {
	UserID int64
	// Hash is the new hash; empty takes the password away.
	Hash string
	// Was, unless nil, is the hash as the caller has read it: the change is made only while that is what is stored.
	Was *string
	Now time.Time
	// Notices and Messages are stored with the change.
	Notices  []*LogoutNotice
	Messages []*OutboxMessage
}

// Sub returns the user's id as tokens carry it, for example in sub (OpenID Connect Core §2).
func (u *User) Sub() string { return cmp.Or(u.Subject, strconv.FormatInt(u.ID, 10)) }

// DrawnUserIDs is the lowest ID that is drawn: IDs of another system's sequence don't come that far. Given IDs from
// UnfollowedUserIDs on don't move the IDs that are drawn, which stay in the range that JSON numbers have everywhere (below 2^53).
const (
	DrawnUserIDs      = 1 << 40
	UnfollowedUserIDs = 1 << 52
)

// Users stores the people who can log in.
type Users interface {
	// CreateUser stores u. An ID of 0 draws the next free one, which is set in u; IDs are never drawn twice, and a drawn ID is at
	// least DrawnUserIDs and above every ID below UnfollowedUserIDs that was ever stored. u.AuthEpoch is set from u.CreatedAt.
	// ErrExists: the ID, the subject or the username is taken, the username differs from another one in the case of ASCII letters only, or a
	// given subject is the ID of a client (RFC 9700 §4.15). Only an import stores names that differ in case.
	CreateUser(ctx context.Context, u *User) error

	// User, UserByUsername and UserBySubject return a user, or ErrNotFound. A subject is what Sub returns.
	User(ctx context.Context, id int64) (*User, error)
	UserByUsername(ctx context.Context, username string) (*User, error)
	UserBySubject(ctx context.Context, subject string) (*User, error)

	// ListUsers returns up to limit users with an ID above after, by ascending ID.
	ListUsers(ctx context.Context, after int64, limit int) ([]*User, error)

	// UpdateUser changes what change names, and UpdatedAt. Fields that two callers change at once are all changed. The epoch and
	// with it the user's grants stay. ErrNotFound; ErrExists: the username is taken, as for CreateUser; ErrConflict: the user is not as in change.Was any more, or was removed.
	UpdateUser(ctx context.Context, id int64, change UserChange, now time.Time, audit *AuditEvent) error

	// SetUserActive enables or disables a user. Disabling raises the epoch. ErrNotFound. It, SetUserPassword, RaiseUserEpoch and RemoveUser
	// store logout notices in the transaction that ends the sessions.
	SetUserActive(ctx context.Context, id int64, active bool, now time.Time, audit *AuditEvent, notices ...*LogoutNotice) error

	// SetUserPassword replaces the hash and raises the epoch. ErrNotFound; ErrConflict: the hash is not c.Was any more, or the user was removed.
	SetUserPassword(ctx context.Context, c PasswordChange, audit *AuditEvent) error

	// RaiseUserEpoch ends every grant of the user. ErrNotFound.
	RaiseUserEpoch(ctx context.Context, id int64, now time.Time, audit *AuditEvent, notices ...*LogoutNotice) error

	// RemoveUser removes the user with their consents, browser sessions and answers to devices, and empties Address, UserAgent and Claims
	// of their grants and codes, which are dead and keep nothing of the user but the ID until their end. Audit events stay, and logout
	// notices that are still to be sent, with those that are stored together with the removal. ErrNotFound.
	RemoveUser(ctx context.Context, id int64, audit *AuditEvent, notices ...*LogoutNotice) error

	// EnterUser stores what is kept here of a user whose account is in another database, and returns it. A user with this subject who
	// is known gets the hash; the epoch becomes the next one if the hash is another one, unless e says that the password is the same.
	// ErrExists: the ID is another user's, or the subject is the ID of a client.
	EnterUser(ctx context.Context, e UserEntry) (*User, error)

	// BeginLogin takes, before a password is checked, one attempt from each bucket that applies, and reads the user:
	// one round trip. Of any number of concurrent callers no more get Allowed than the buckets hold.
	BeginLogin(ctx context.Context, a LoginAttempt) (*LoginCheck, error)

	// AmbiguousLogins counts the names that more than one user has, so that no login can give them.
	AmbiguousLogins(ctx context.Context, names LoginNames) (int, error)
}

// UserSearch finds users for operators.
type UserSearch interface {
	// SearchUsers returns up to f.Limit users that f selects, by ascending ID.
	SearchUsers(ctx context.Context, f UserFilter) ([]*User, error)

	// ListGroups returns up to limit groups that users are in or that were provisioned, with a name above after, by ascending name (byte order).
	ListGroups(ctx context.Context, after string, limit int) ([]*Group, error)
}

// UserEntry is what is kept of a user whose account is in another database.
type UserEntry struct {
	// ID is the key of the account if that is a positive integer, and Subject is empty then; otherwise one is drawn for Subject.
	ID      int64
	Subject string
	// PasswordHash is the one of the account at this moment.
	PasswordHash string
	// SamePassword says that the remembered hash and this one are of one password.
	SamePassword bool
	Now          time.Time
}

// Sub returns what the user's Sub returns.
func (e *UserEntry) Sub() string { return (&User{ID: e.ID, Subject: e.Subject}).Sub() }

// New returns the user as they are stored at their first entry. The username, which is kept elsewhere and may change there, is one that
// no other user has. The epoch is before this moment: tokens that another issuer wrote earlier are good. It differs from that of an
// earlier entry, so that a user who was removed here and enters again revives no grant.
func (e *UserEntry) New() *User {
	now := e.Now.UTC().Truncate(time.Microsecond)
	return &User{
		ID: e.ID, Subject: e.Subject, Username: "#" + e.Sub(), PasswordHash: e.PasswordHash, Active: true, CreatedAt: now,
		AuthEpoch: now.UnixMicro() - now.UnixMilli(),
	}
}

// UserFilter selects users; zero fields select all.
type UserFilter struct {
	// After selects users with a higher ID.
	After int64
	// Offset skips so many of them.
	Offset, Limit int
	// Username, Email and Subject are compared byte for byte; with Fold, the case of ASCII letters of the first two does not matter.
	Username, Email, Subject string
	Fold                     bool
	// Group selects those who are in it.
	Group string
	// Text selects those whose username, e-mail address or name contains it; the case of ASCII letters does not matter.
	Text string
	// Active, unless nil, selects those who are active, or those who are not.
	Active *bool
}

// Selects reports whether the filter selects a user, not counting Offset and Limit.
func (f *UserFilter) Selects(u *User) bool {
	same := func(want, text string) bool {
		return want == "" || want == text || f.Fold && FoldASCII(want) == FoldASCII(text)
	}
	contains := func(text string) bool { return strings.Contains(FoldASCII(text), FoldASCII(f.Text)) }
	return u.ID > f.After &&
		same(f.Username, u.Username) && same(f.Email, u.Email) && (f.Subject == "" || f.Subject == u.Sub()) &&
		(f.Group == "" || slices.Contains(u.Groups, f.Group)) && (f.Active == nil || *f.Active == u.Active) &&
		(f.Text == "" || contains(u.Username) || contains(u.Email) || contains(u.Name))
}

// Group is a group with the number of users in it.
type Group struct {
	Name  string
	Users int64
}

// LoginNames says which names of a user a login may give; the zero value is the exact username.
type LoginNames struct {
	// Email allows the e-mail address, and NoUsername only that.
	Email, NoUsername bool
	// Fold ignores the case of ASCII letters. Names that are given are in lower case then.
	Fold bool
}

// FoldASCII returns a text with its ASCII letters in lower case, as LoginNames.Fold and UserFilter.Fold compare.
func FoldASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// LoginAttempt is what is known before a password is checked.
type LoginAttempt struct {
	Username string
	// Names are compared with Username. A name that two users have finds neither.
	Names LoginNames
	Now   time.Time
	// Known is the key under which an earlier successful login of this account from this network is remembered
	// (see Login.Known).
	Known Digest
	// Always are the buckets that every attempt is taken from.
	Always []Bucket
	// Untrusted are the buckets that an attempt is taken from if the network is not known.
	Untrusted []Bucket
}

// LoginCheck is the answer to a LoginAttempt.
type LoginCheck struct {
	// User is nil if no user has that name.
	User *User
	// KnownNetwork is true if LoginAttempt.Known is remembered.
	KnownNetwork bool
	// RetryAfter is zero when the attempt may go on, else how long until the emptiest bucket holds one again.
	RetryAfter time.Duration
	// SecondFactor is true if the user has a factor of a kind that is one.
	SecondFactor bool
	// Unentered is set for a user whose account is in another database, if nothing is kept here yet, or another password hash: then
	// Remembered is that. See Users.EnterUser.
	Unentered  bool
	Remembered string
}

// Login is what a successful password check writes, together with the grant it leads to.
type Login struct {
	UserID int64
	// Subject is what the user's Sub returns.
	Subject string
	// GiveBack are the buckets that get their attempt back.
	GiveBack []Bucket
	// Known is remembered until KnownUntil.
	Known      Digest
	KnownUntil time.Time
	// SetLastLogin, when not zero, becomes the user's LastLogin.
	SetLastLogin time.Time
	// NewHash, when not empty, replaces OldHash if that is still the stored one. The epoch stays.
	OldHash, NewHash string
}
