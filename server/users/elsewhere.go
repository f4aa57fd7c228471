package users

import (
	"latchkey/storage"
)

// here returns a storage.ErrElsewhere, with what to do instead, unless the accounts are in the Store.
func (s *Service) here() error {
	switch {
	case s.cfg.Directory == nil:
		return nil
	case s.cfg.AccountURL != "":
		return &elsewhereError{"change them there, or at " + s.cfg.AccountURL}
	}
	return &elsewhereError{"change them there, for example in its admin or with manage.py"}
}

type elsewhereError struct{ remedy string }

func (e *elsewhereError) Error() string {
	return "the users are kept in Django's database (--users-from django): " + e.remedy
}

func (*elsewhereError) Unwrap() error { return storage.ErrElsewhere }

// AccountURL returns the page on which people change their account where accounts are kept in another system; empty if it is not known, or
// if they are kept here.
func (s *Service) AccountURL() string {
	if s.cfg.Directory == nil {
		return ""
	}
	return s.cfg.AccountURL
}

// CanChangePassword reports whether users can change their own passwords here.
func (s *Service) CanChangePassword() bool {
	return s.cfg.Directory == nil || s.cfg.Directory.Writable()
}
