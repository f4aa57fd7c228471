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
