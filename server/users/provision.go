package users

import (
	"context"
	"fmt"

	"latchkey/server/internal/alert"
	"latchkey/server/internal/audit"
	"latchkey/storage"
)

// AddProvisioned adds a user for a client that provisions users, with what is kept of them besides. Errors:
// *input.Error; storage.ErrExists, also for a username that differs from another user's in case only (RFC 7643 §4.1.1).
func (s *Service) AddProvisioned(ctx context.Context, n NewUser, clientID string, p storage.ProvisionedUser) (*storage.User, error) {
	u, err := s.prepare(ctx, n)
	if err != nil {
		return nil, err
	}
	e := s.event(ctx, "user_created", "operator", 0)
	if err := s.act(e, "add user", s.cfg.Store.CreateProvisionedUser(ctx, u, clientID, p, e)); err != nil {
		return nil, err
	}
	return u, nil
}

// ChangeProvisioned makes all of a change of a user by a client that provisions users, or nothing: the profile as Update, the password,
// which is given in clear, as SetPassword, and Active as Disable and Enable. Errors: *input.Error; those of
// [storage.Provisioning.ChangeProvisionedUser].
func (s *Service) ChangeProvisioned(ctx context.Context, id int64, c storage.ProvisionedChange, secret *storage.Secret) error {
	before, after, updated, err := s.planned(ctx, "operator", id, &c.UserChange)
	if err != nil {
		return err
	}
	var events []*storage.AuditEvent
	if updated == nil { // what is as it was is not written, but it must be so still
		c.UserChange = storage.UserChange{Was: c.Was}
	}
	if c.Attributes != nil {
		updated = s.event(ctx, "user_updated", "operator", id)
		updated.Details = audit.Details(map[string]any{"fields": append(changed(before, after), "provisioned")})
	}
	if updated != nil {
		events = append(events, updated)
	}
	if secret != nil {
		hash, err := s.hash(ctx, *secret)
		if err != nil {
			return err
		}
		c.PasswordHash = &hash
		e := s.event(ctx, "password_changed", "operator", id)
		e.Details = audit.Details(map[string]any{"set_to": "password"})
		events, c.Messages = append(events, e), alert.Of(ctx, s.cfg.Alerts, e)
	}
	if c.Active != nil {
		action := "user_disabled"
		if *c.Active {
			action = "user_enabled"
		}
		events = append(events, s.event(ctx, action, "operator", id))
	}
	if len(events) == 0 && c.ExternalID == nil {
		return nil
	}
	c.Now = s.now()
	change := func(notices ...*storage.LogoutNotice) error {
		c.Notices = notices
		return s.cfg.Store.ChangeProvisionedUser(ctx, id, c, events...)
	}
	if c.EndsSessions() {
		err = s.Ending(ctx, id, change)
	} else {
		err = change()
	}
	if err != nil {
		return fmt.Errorf("change user: %w", err)
	}
	for _, e := range events {
		s.audit.Written(e)
	}
	return nil
}
