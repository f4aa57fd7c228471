package storage

import (
	"context"
	"encoding/json"
	"time"
)

// ProvisionedGroup is a group as clients that provision users see it (RFC 7643 §4.2). Who is in it says [UserProfile.Groups], by the name.
type ProvisionedGroup struct {
	ID ID
	// Name is unique, compared byte for byte.
	Name                 string
	CreatedAt, UpdatedAt time.Time
	// ExternalID is what the client that asks calls the group; empty if it has no name for it.
	ExternalID string
}

// ProvisionedGroupFilter selects groups; zero fields select all.
type ProvisionedGroupFilter struct {
	// ClientID is the client whose external IDs are meant.
	ClientID   string
	ID         ID
	Names      []string
	ExternalID string
	// Offset skips so many groups. Neither it nor Limit counts for [Provisioning.CountProvisionedGroups].
	Offset, Limit int
}

// GroupChange is a change of a group. Fields that are nil stay as they are.
type GroupChange struct {
	ID ID
	// Name renames the group, for all who are in it.
	Name *string
	// ExternalID is what ClientID calls the group from now on; an empty one is removed.
	ClientID   string
	ExternalID *string
	// Add and Remove are the users that the group has from now on, and those that it has no more. Users that are not there are left out.
	Add, Remove []int64
	Now         time.Time

	// Was, unless nil, is the group as the caller has read it: the change is made only while that is what is stored.
	Was *GroupState
}

// GroupState is what a client sees of a group.
type GroupState struct {
	Name string
	// ExternalID is what ClientID calls the group; empty if it has no name for it.
	ClientID, ExternalID string
	// Members are the users in the group, by ascending ID.
	Members []int64
}

// GroupMember is a user who is in a group.
type GroupMember struct {
	Group    string
	UserID   int64
	Username string
}

// ProvisionedChange is a change of a user by a client that provisions users. Fields that are nil stay as they are.
type ProvisionedChange struct {
	// UserChange is what changes of the profile. With Was, Active must be as in it, too.
	UserChange
	// Active enables the user, or disables them, which raises the epoch.
	Active *bool
	// PasswordHash replaces the hash and raises the epoch.
	PasswordHash *string
	// ExternalID is what ClientID calls the user from now on; an empty one is removed.
	ClientID   string
	ExternalID *string
	// Attributes replaces [ProvisionedUser.Attributes]; an empty document is removed.
	Attributes *json.RawMessage
	// WasProvisioned, unless nil, is what must be as the caller has read it for ClientID, as for Was.
	WasProvisioned *ProvisionedUser
	// Notices and Messages are stored with the change.
	Notices  []*LogoutNotice
	Messages []*OutboxMessage
	Now      time.Time
}

// EndsSessions reports whether the change raises the epoch.
func (c *ProvisionedChange) EndsSessions() bool {
	return c.PasswordHash != nil || c.Active != nil && !*c.Active
}

// ProvisionedUser is what is kept of a user for clients that provision users, besides [User].
type ProvisionedUser struct {
	UserID int64
	// ExternalID is what the client that asks calls the user; empty if it has no name for them.
	ExternalID string
	// Attributes are what clients have said of the user and [User] has no field for: a JSON object, the same for all clients, or nil.
	Attributes json.RawMessage
}

// Provisioning keeps what clients that provision users and groups need beside the users: IDs of groups, and what they call both.
// An external ID is one of its client: RFC 7643 §3.1 has it mean nothing outside the domain of the client that provisions.
type Provisioning interface {
	// CountUsers returns how many users f selects, whatever its Offset and Limit.
	CountUsers(ctx context.Context, f UserFilter) (int, error)

	// AdoptGroups stores an ID for the groups that users are in and that have none: to those with one of the names, or to all without names.
	AdoptGroups(ctx context.Context, names []string, now time.Time) error

	// CreateProvisionedGroup stores g with its members and with its external ID at a
	// client. Members that are not there are left out. ErrExists: the ID or the name is taken.
	CreateProvisionedGroup(ctx context.Context, g *ProvisionedGroup, clientID string, members []int64, audit ...*AuditEvent) error

	// SearchProvisionedGroups returns the groups that f selects, by ascending ID.
	SearchProvisionedGroups(ctx context.Context, f ProvisionedGroupFilter) ([]*ProvisionedGroup, error)
	CountProvisionedGroups(ctx context.Context, f ProvisionedGroupFilter) (int, error)

	// ChangeGroup makes all of a change, or nothing. Sessions of those concerned go on. ErrNotFound; ErrExists: the name is taken; ErrConflict:
	// the group is not as in c.Was any more, or was removed. Of any number of concurrent callers who have read the same, one gets nil.
	ChangeGroup(ctx context.Context, c GroupChange, audit ...*AuditEvent) error

	// RemoveProvisionedGroup removes a group, also from all who are in it; unless was is nil, only while it is so. ErrNotFound; ErrConflict as
	// for ChangeGroup.
	RemoveProvisionedGroup(ctx context.Context, id ID, was *GroupState, now time.Time, audit ...*AuditEvent) error

	// GroupMembers returns who is in the groups with the names, by ascending user ID.
	GroupMembers(ctx context.Context, names []string) ([]*GroupMember, error)

	// ProvisionedUsers returns what is kept of users, by ascending ID, without users with nothing kept. An empty clientID is a client
	// that has no names for users.
	ProvisionedUsers(ctx context.Context, clientID string, users []int64) ([]*ProvisionedUser, error)

	// UsersByExternalID returns up to limit users that a client calls so, by ascending ID.
	UsersByExternalID(ctx context.Context, clientID, externalID string, limit int) ([]*User, error)

	// CreateProvisionedUser is CreateUser with what is kept besides for a client; the UserID of p counts for nothing. ErrExists also for a
	// username that another user has with ASCII letters of another case: of any number of concurrent callers with such names one gets nil.
	// The event is about the user.
	CreateProvisionedUser(ctx context.Context, u *User, clientID string, p ProvisionedUser, audit *AuditEvent) error

	// ChangeProvisionedUser makes all of a change, or nothing. ErrNotFound: there is no such user, or a client to name them; ErrExists, as
	// for CreateProvisionedUser; ErrConflict: the user is not as in c.Was and c.WasProvisioned any more.
	ChangeProvisionedUser(ctx context.Context, id int64, c ProvisionedChange, audit ...*AuditEvent) error
}
