package users

import (
	"latchkey/admin"
	"latchkey/storage"
)

// Describe returns a user as the API and the commands show them.
func Describe(u *storage.User) admin.User {
	shown := admin.User{
		ID: u.ID, Subject: u.Sub(), Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified,
		Name: u.Name, GivenName: u.GivenName, FamilyName: u.FamilyName, Picture: u.Picture, Locale: u.Locale, ZoneInfo: u.ZoneInfo,
		Groups: append([]string{}, u.Groups...), Attributes: u.Attributes,
		Active: u.Active, Staff: u.Staff, CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
	}
	if u.UpdatedAt.IsZero() {
		shown.UpdatedAt = shown.CreatedAt
	}
	if !u.LastLogin.IsZero() {
		shown.LastLogin = new(u.LastLogin.UTC())
	}
	return shown
}

// NewUserOf returns what Add takes for a new user of the API and the commands.
func NewUserOf(n admin.NewUser) NewUser {
	return NewUser{
		ID: n.ID, Subject: n.Subject, Username: n.Username, Email: n.Email, Password: (*storage.Secret)(n.Password), PasswordHash: n.PasswordHash,
		Active: !n.Inactive, Staff: n.Staff,
		Profile: storage.UserProfile{
			EmailVerified: n.EmailVerified, Name: n.Name, GivenName: n.GivenName, FamilyName: n.FamilyName, Picture: n.Picture, Locale: n.Locale,
			ZoneInfo: n.ZoneInfo, Groups: n.Groups, Attributes: n.Attributes,
		},
	}
}

// ChangeOf returns what Update takes for a change of the API and the commands.
func ChangeOf(c admin.UserChange) storage.UserChange {
	change := storage.UserChange{
		Username: c.Username, Email: c.Email, EmailVerified: c.EmailVerified, Name: c.Name, GivenName: c.GivenName, FamilyName: c.FamilyName,
		Picture: c.Picture, Locale: c.Locale, ZoneInfo: c.ZoneInfo, Groups: c.Groups, Staff: c.Staff,
	}
	if c.Attributes != nil {
		change.Attributes = &c.Attributes
	}
	return change
}
