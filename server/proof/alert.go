package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"latchkey/server/internal/alert"
	"latchkey/server/internal/outbox"
	"latchkey/server/mail"
	"latchkey/storage"
)

// Alert makes the letter that notifies a user of a change of what they sign in with, if they have a verified address (OWASP ASVS 5.0 6.3.7).
// Its only link is that of the account's page. It is an outbox.Send.
func (s *Service) Alert(ctx context.Context, m *storage.OutboxMessage) ([]*storage.OutboxMessage, error) {
	a, err := alert.Read(m)
	if err != nil {
		return nil, err
	}
	u, err := s.cfg.Store.User(ctx, a.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil // removed since
	}
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	if !u.EmailVerified || !mail.IsAddress(u.Email) {
		return nil, nil
	}
	name, passkey := alertLetter(a)
	if name == "" {
		return nil, fmt.Errorf("alert of %q: %w", a.Action, outbox.ErrRefused)
	}
	l := letter(name, u, a.Languages)
	l.Link, l.At, l.ByOperator, l.Passkey = s.cfg.Issuer+accountPath, a.At, a.Actor != "user", passkey
	made, err := s.cfg.Mailer.Message(l, m.ID.String())
	if err != nil {
		return nil, err
	}
	defer s.cfg.Written()
	return []*storage.OutboxMessage{made}, nil
}

// alertLetter returns the letter about a change, and whether the change is of a passkey; an empty name for a change that there is none about.
func alertLetter(a *alert.Alert) (name mail.Name, passkey bool) {
	var details struct {
		Kind  storage.FactorKind `json:"kind"`
		SetTo string             `json:"set_to"`
		First bool               `json:"first"`
	}
	if len(a.Details) > 0 && json.Unmarshal(a.Details, &details) != nil {
		return "", false
	}
	switch a.Action {
	case "password_changed":
		switch {
		case details.SetTo == "none":
			return mail.PasswordRemoved, false
		case details.First:
			return mail.PasswordAdded, false
		}
		return mail.PasswordSet, false
	case "factor_added":
		return mail.FactorAdded, details.Kind == storage.FactorWebAuthn
	case "factor_removed":
		return mail.FactorRemoved, details.Kind == storage.FactorWebAuthn
	case "factors_reset":
		return mail.FactorsReset, false
	case "recovery_codes_created":
		return mail.RecoveryCodes, false
	}
	return "", false
}
