// Package external follows another system in which the users have accounts: it copies them from there, and removes what is kept here of
// users whose accounts are gone. It reads neither tables nor networks; those who call it hand over what they have read.
package external

import "time"

// User is a user as another system has them.
type User struct {
	// Key is the user's id there. Problem, if not empty, says what could not be read.
	Key, Problem                                 string
	Username, Email, Hash, GivenName, FamilyName string
	Active, Staff                                bool
	// EmailVerified: the other system says that the address is the user's. Otherwise what is known here of the same address stays.
	EmailVerified bool
	// Joined and LastLogin may be zero.
	Joined, LastLogin time.Time
	Groups            []string
	// KeepGroups keeps the groups that the user has here: the other system has none.
	KeepGroups bool
}
