package admin

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// User is a person who can log in.
type User struct {
	ID            int64           `json:"id" doc:"The id of the user; it never changes."`
	Subject       string          `json:"subject" doc:"The id as tokens carry it, in sub."`
	Username      string          `json:"username"`
	Email         string          `json:"email" doc:"Empty if there is none."`
	EmailVerified bool            `json:"email_verified"`
	Name          string          `json:"name,omitempty" doc:"The full name."`
	GivenName     string          `json:"given_name,omitempty"`
	FamilyName    string          `json:"family_name,omitempty"`
	Picture       string          `json:"picture,omitempty" doc:"URL of an image."`
	Locale        string          `json:"locale,omitempty" doc:"Language tag, like de-AT."`
	ZoneInfo      string          `json:"zoneinfo,omitempty" doc:"Time zone, like Europe/Vienna."`
	Groups        []string        `json:"groups" nullable:"false"`
	Attributes    json.RawMessage `json:"attributes,omitempty" doc:"The operator's own values, an object."`
	Active        bool            `json:"active" doc:"Whether the user can log in."`
	Staff         bool            `json:"staff"`
	CreatedAt     time.Time       `json:"created_at"`
	UpdatedAt     time.Time       `json:"updated_at" doc:"When the profile, the name or the address was last changed."`
	LastLogin     *time.Time      `json:"last_login" doc:"null if never."`
}

// NewUser is a user to be added. At most one of Password and PasswordHash is given; without both the user can't log in with a password.
type NewUser struct {
	Username      string          `json:"username" minLength:"1" maxLength:"255" pattern:"^[^\\x00-\\x1f\\x7f]+$" patternDescription:"text without control characters"`
	ID            int64           `json:"id,omitempty" minimum:"1" doc:"The id of another system, to be kept; by default the next free one."`
	Subject       string          `json:"subject,omitempty" maxLength:"255" doc:"The id as tokens carry it; by default the id. Printable ASCII."`
	Email         string          `json:"email,omitempty" maxLength:"254"`
	EmailVerified bool            `json:"email_verified,omitempty"`
	Name          string          `json:"name,omitempty" maxLength:"255"`
	GivenName     string          `json:"given_name,omitempty" maxLength:"255"`
	FamilyName    string          `json:"family_name,omitempty" maxLength:"255"`
	Picture       string          `json:"picture,omitempty" maxLength:"2048" doc:"URL of an image."`
	Locale        string          `json:"locale,omitempty" maxLength:"35" doc:"Language tag, like de-AT."`
	ZoneInfo      string          `json:"zoneinfo,omitempty" maxLength:"64" doc:"Time zone, like Europe/Vienna."`
	Groups        []string        `json:"groups,omitempty" nullable:"false" maxItems:"500" doc:"Names of groups."`
	Attributes    json.RawMessage `json:"attributes,omitempty" doc:"The operator's own values, an object."`
	Inactive      bool            `json:"inactive,omitempty" doc:"Add the user disabled."`
	Staff         bool            `json:"staff,omitempty"`
	Password      *string         `json:"password,omitempty" maxLength:"4096" doc:"It is never shown again." writeOnly:"true"`
	PasswordHash  string          `json:"password_hash,omitempty" maxLength:"4096" doc:"A PHC string or one of Django's formats." writeOnly:"true"`
}

// UserChange is what changes of a user. What is nil stays as it is; an empty text removes the value.
type UserChange struct {
	Username      *string         `json:"username,omitempty" minLength:"1" maxLength:"255" pattern:"^[^\\x00-\\x1f\\x7f]+$" patternDescription:"text without control characters"`
	Email         *string         `json:"email,omitempty" maxLength:"254" doc:"Another address is not verified unless email_verified says so."`
	EmailVerified *bool           `json:"email_verified,omitempty"`
	Name          *string         `json:"name,omitempty" maxLength:"255"`
	GivenName     *string         `json:"given_name,omitempty" maxLength:"255"`
	FamilyName    *string         `json:"family_name,omitempty" maxLength:"255"`
	Picture       *string         `json:"picture,omitempty" maxLength:"2048"`
	Locale        *string         `json:"locale,omitempty" maxLength:"35"`
	ZoneInfo      *string         `json:"zoneinfo,omitempty" maxLength:"64"`
	Groups        *[]string       `json:"groups,omitempty" nullable:"false" maxItems:"500" doc:"In place of those that there are."`
	Attributes    json.RawMessage `json:"attributes,omitempty" doc:"In place of those that there are."`
	Staff         *bool           `json:"staff,omitempty"`
}

// Password is a new password of a user, or its hash; an empty object takes the password away.
type Password struct {
	Password     *string `json:"password,omitempty" maxLength:"4096" writeOnly:"true"`
	PasswordHash string  `json:"password_hash,omitempty" maxLength:"4096" doc:"A PHC string or one of Django's formats." writeOnly:"true"`
}

// Group is a group with the number of users in it.
type Group struct {
	Name  string `json:"name"`
	Users int64  `json:"users"`
}

// UserFilter selects users; zero fields select all.
type UserFilter struct {
	Username, Email, Subject, Group string
	// Search is a part of the name or the address.
	Search string
	Active *bool
}

// Users lists users by id.
func (a *API) Users(ctx context.Context, f UserFilter) iter.Seq2[User, error] {
	return list[User](ctx, a, "/users", filters(
		"username", f.Username, "email", f.Email, "subject", f.Subject, "group", f.Group, "search", f.Search, "active", yes(f.Active)))
}

// User shows a user.
func (a *API) User(ctx context.Context, userID int64, o ...Option) (*User, error) {
	return one[User](ctx, a, newCall(http.MethodGet, "/users"+number(userID), nil, o...))
}

// AddUser adds a user.
func (a *API) AddUser(ctx context.Context, u NewUser, o ...Option) (*User, error) {
	return one[User](ctx, a, newCall(http.MethodPost, "/users", u, o...))
}

// UpdateUser changes what is known of a user. Sessions go on.
func (a *API) UpdateUser(ctx context.Context, userID int64, c UserChange, o ...Option) (*User, error) {
	return one[User](ctx, a, change(http.MethodPatch, "/users"+number(userID), c, o))
}

// RemoveUser removes a user and ends their sessions.
func (a *API) RemoveUser(ctx context.Context, userID int64, o ...Option) (*User, error) {
	return one[User](ctx, a, change(http.MethodDelete, "/users"+number(userID), nil, o))
}

// DisableUser disables a user and ends their sessions.
func (a *API) DisableUser(ctx context.Context, userID int64, o ...Option) (*User, error) {
	return one[User](ctx, a, change(http.MethodPost, "/users"+number(userID)+"/disable", nil, o))
}

// SendPasswordLink sends a user the link with which a password is chosen.
func (a *API) SendPasswordLink(ctx context.Context, userID int64, o ...Option) (*User, error) {
	return one[User](ctx, a, change(http.MethodPost, "/users"+number(userID)+"/password-link", nil, o))
}

// EnableUser lets a user log in again.
func (a *API) EnableUser(ctx context.Context, userID int64, o ...Option) (*User, error) {
	return one[User](ctx, a, change(http.MethodPost, "/users"+number(userID)+"/enable", nil, o))
}

// SetPassword replaces the password of a user and ends their sessions.
func (a *API) SetPassword(ctx context.Context, userID int64, p Password, o ...Option) (*User, error) {
	return one[User](ctx, a, change(http.MethodPut, "/users"+number(userID)+"/password", p, o))
}

// Groups lists the groups, with how many users each has.
func (a *API) Groups(ctx context.Context) iter.Seq2[Group, error] {
	return list[Group](ctx, a, "/groups", nil)
}
