package users

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"latchkey/storage"
)

// OwnFields returns the fields of the profile that an operator may let users change themselves. The address is not among them: it would
// have to be verified; neither is what applications decide by, such as groups and attributes.
func OwnFields() []string {
	return []string{"name", "given_name", "family_name", "picture", "locale", "zoneinfo"}
}

// ownField returns the text of one of OwnFields.
func ownField(u *storage.UserProfile, c *storage.UserChange, name string) (is string, to **string) {
	switch name {
	case "name":
		return u.Name, &c.Name
	case "given_name":
		return u.GivenName, &c.GivenName
	case "family_name":
		return u.FamilyName, &c.FamilyName
	case "picture":
		return u.Picture, &c.Picture
	case "locale":
		return u.Locale, &c.Locale
	case "zoneinfo":
		return u.ZoneInfo, &c.ZoneInfo
	}
	panic("users: " + name + " is none of OwnFields")
}

// OwnField returns what a profile has in one of OwnFields.
func OwnField(p *storage.UserProfile, name string) string {
	is, _ := ownField(p, new(storage.UserChange), name)
	return is
}

// Users change their profile at most this often: each change is an audit event that stays.
const (
	ownChangeBurst    = 20
	ownChangeInterval = 5 * time.Minute
)

// Own returns a user with the profile. storage.ErrNotFound.
func (s *Service) Own(ctx context.Context, id int64) (*storage.User, error) {
	u, err := s.cfg.Store.User(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	return u, nil
}

// CanChangeProfile reports whether profiles are kept here.
func (s *Service) CanChangeProfile() bool { return s.here() == nil }

// ChangeOwnProfile changes fields of the user's own profile, each one of OwnFields. Errors: those of Update, *ThrottledError.
func (s *Service) ChangeOwnProfile(ctx context.Context, id int64, values map[string]string) error {
	if err := s.here(); err != nil {
		return err
	}
	var change storage.UserChange
	for name, value := range values {
		_, to := ownField(new(storage.UserProfile), &change, name)
		*to = &value
	}
	bucket := storage.Bucket{Key: s.mac("own profile", strconv.FormatInt(id, 10)), Burst: ownChangeBurst, Interval: ownChangeInterval}
	wait, err := s.cfg.Store.TakeAttempts(ctx, s.now(), bucket)
	if err != nil {
		return fmt.Errorf("limit changes of a profile: %w", err)
	}
	if wait > 0 {
		return &ThrottledError{RetryAfter: wait}
	}
	_, err = s.update(ctx, "user", id, change)
	return err
}
