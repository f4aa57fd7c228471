package storage

import (
	"context"
	"time"
)

// Absences keeps who of the users has no account any more, where the accounts are in another database.
type Absences interface {
	// ListPresence returns up to limit users with an ID above after, by ascending ID.
	ListPresence(ctx context.Context, after int64, limit int) ([]*Presence, error)

	// NotePresence notes that some users have an account and others have none, since now unless that is known. A user is absent only after an account of
	// theirs was seen, by this or by EnterUser. It changes nothing where all is known.
	NotePresence(ctx context.Context, present, absent []int64, now time.Time) error

	// CountAbsent returns how many users are absent, and how many users had an account that was seen.
	CountAbsent(ctx context.Context) (absent, seen int, err error)

	// RemoveAbsentUser is RemoveUser for a user who is absent since exactly then; an entry of theirs ends that. ErrNotFound.
	RemoveAbsentUser(ctx context.Context, id int64, since time.Time, audit *AuditEvent, notices ...*LogoutNotice) error
}

// Presence is what is known of a user's account in another database.
type Presence struct {
	ID      int64
	Subject string
	// Seen says that there was one, and AbsentSince since when it is missing; zero if it is not.
	Seen        bool
	AbsentSince time.Time
}

// Sub is that of the user.
func (p *Presence) Sub() string { return (&User{ID: p.ID, Subject: p.Subject}).Sub() }
