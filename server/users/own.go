package users

import (
	"context"

	"latchkey/storage"
)

// ChangeOwnPassword is SetPassword by the user, which every check of the present password must come before.
// Errors: *InputError, storage.ErrNotFound.
func (s *Service) ChangeOwnPassword(ctx context.Context, id int64, secret storage.Secret) error {
	encoded, err := s.hash(ctx, secret)
	if err != nil {
		return err
	}
	e := s.event(ctx, "password_changed", "user", id)
	e.Details = details(map[string]any{"set_to": "password"})
	return s.act(e, "change own password", s.cfg.Store.SetUserPassword(ctx, id, encoded, e.At, e))
}

// EndOwnSessions is EndSessions by the user. storage.ErrNotFound.
func (s *Service) EndOwnSessions(ctx context.Context, id int64) error {
	e := s.event(ctx, "user_sessions_ended", "user", id)
	return s.act(e, "end own sessions", s.cfg.Store.RaiseUserEpoch(ctx, id, e.At, e))
}
