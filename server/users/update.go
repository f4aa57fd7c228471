package users

import (
	"context"
	"fmt"
	"slices"

	"latchkey/server/internal/audit"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// Update changes what change names of a user, and returns the user as they are then. Sessions live on, also under another username. An
// address that is changed is not verified any more unless the change says that it is. Errors: *input.Error, storage.ErrNotFound;
// storage.ErrExists, as of Add: the username is taken.
func (s *Service) Update(ctx context.Context, id int64, change storage.UserChange) (*storage.User, error) {
	return s.update(ctx, "operator", id, change)
}

func (s *Service) update(ctx context.Context, actor string, id int64, change storage.UserChange) (*storage.User, error) {
	before, after, e, err := s.planned(ctx, actor, id, &change)
	if err != nil || e == nil {
		return before, err
	}
	if err := s.act(e, "update user", s.cfg.Store.UpdateUser(ctx, id, change, e.At, e)); err != nil {
		return nil, s.takenBy(ctx, after.Username, err)
	}
	after.UpdatedAt = e.At
	return after, nil
}

// planned completes a change, and returns the user before and after it, and its event; nil if it changes nothing.
func (s *Service) planned(ctx context.Context, actor string, id int64, change *storage.UserChange) (before, after *storage.User, e *storage.AuditEvent, err error) {
	if err := s.here(); err != nil {
		return nil, nil, nil, err
	}
	if before, err = s.cfg.Store.User(ctx, id); err != nil {
		return nil, nil, nil, fmt.Errorf("update user: %w", err)
	}
	if change.Username != nil {
		change.Username = new(input.Username(*change.Username))
	}
	if change.Email != nil && *change.Email != before.Email && (change.EmailVerified == nil || *change.Email == "") {
		change.EmailVerified = new(bool)
	}
	after = apply(*before, *change)
	if err := input.CheckUser(before, after); err != nil {
		return nil, nil, nil, err
	}
	if change.Groups != nil {
		change.Groups = &after.Groups
	}
	if change.Attributes != nil {
		change.Attributes = &after.Attributes
	}
	fields := changed(before, after)
	if len(fields) == 0 {
		return before, after, nil, nil
	}
	e = s.event(ctx, "user_updated", actor, id)
	e.Details = audit.Details(map[string]any{"fields": fields}) // names only: values are personal data, and this stays
	return before, after, e, nil
}

// apply returns the user after a change.
func apply(u storage.User, c storage.UserChange) *storage.User {
	set(&u.Username, c.Username)
	set(&u.Email, c.Email)
	set(&u.EmailVerified, c.EmailVerified)
	set(&u.Staff, c.Staff)
	set(&u.Name, c.Name)
	set(&u.GivenName, c.GivenName)
	set(&u.FamilyName, c.FamilyName)
	set(&u.Picture, c.Picture)
	set(&u.Locale, c.Locale)
	set(&u.ZoneInfo, c.ZoneInfo)
	set(&u.Groups, c.Groups)
	set(&u.Attributes, c.Attributes)
	return &u
}

func set[T any](field, to *T) {
	if to != nil {
		*field = *to
	}
}

// changed returns the names of the fields that differ.
func changed(a, b *storage.User) (names []string) {
	note := func(name string, differs bool) {
		if differs {
			names = append(names, name)
		}
	}
	note("username", a.Username != b.Username)
	note("email", a.Email != b.Email)
	note("email_verified", a.EmailVerified != b.EmailVerified)
	note("staff", a.Staff != b.Staff)
	note("name", a.Name != b.Name)
	note("given_name", a.GivenName != b.GivenName)
	note("family_name", a.FamilyName != b.FamilyName)
	note("picture", a.Picture != b.Picture)
	note("locale", a.Locale != b.Locale)
	note("zoneinfo", a.ZoneInfo != b.ZoneInfo)
	note("groups", !slices.Equal(a.Groups, b.Groups))
	note("attributes", !input.SameAttributes(a.Attributes, b.Attributes))
	return names
}
