package postgres

import (
	"context"
	"errors"
	"time"

	"latchkey/storage"
)

// errPending is what the methods say that are not written yet.
var errPending = errors.New("not written yet")

func (s *Store) CreateBrowserSession(context.Context, *storage.BrowserSession, storage.Digest, *storage.Login, ...*storage.AuditEvent) error {
	return errPending
}

func (s *Store) BrowserSession(context.Context, storage.Digest, string) (*storage.LiveBrowserSession, error) {
	return nil, errPending
}
func (s *Store) TouchBrowserSession(context.Context, storage.Digest, time.Time) error { return errPending }

func (s *Store) ListBrowserSessions(context.Context, int64, time.Time, int) ([]*storage.BrowserSession, error) {
	return nil, errPending
}

func (s *Store) EndBrowserSession(context.Context, storage.BrowserSessionEnd, *storage.AuditEvent) (bool, error) {
	return false, errPending
}

func (s *Store) CreateAuthorizationCode(context.Context, *storage.AuthorizationCode, ...*storage.AuditEvent) error {
	return errPending
}

func (s *Store) AuthorizationCode(context.Context, storage.Digest) (*storage.LiveAuthorizationCode, error) {
	return nil, errPending
}

func (s *Store) RedeemAuthorizationCode(context.Context, storage.Digest, *storage.Grant, ...*storage.AuditEvent) error {
	return errPending
}

func (s *Store) GrantConsent(context.Context, *storage.Consent, *storage.AuditEvent) error {
	return errPending
}

func (s *Store) ListConsents(context.Context, int64, int) ([]*storage.Consent, error) {
	return nil, errPending
}

func (s *Store) RevokeConsent(context.Context, storage.ConsentEnd, *storage.AuditEvent) (bool, error) {
	return false, errPending
}

func (s *Store) CreatePushedRequest(context.Context, *storage.PushedRequest) error { return errPending }

func (s *Store) TakePushedRequest(context.Context, storage.Digest, string, time.Time) (*storage.PushedRequest, error) {
	return nil, errPending
}

func (s *Store) UseJTI(context.Context, string, storage.Digest, time.Time) error { return errPending }

func (s *Store) CreateLogoutNotices(context.Context, ...*storage.LogoutNotice) error { return errPending }

func (s *Store) ClaimLogoutNotices(context.Context, time.Time, time.Duration, int) ([]*storage.LogoutNotice, error) {
	return nil, errPending
}

func (s *Store) RetryLogoutNotice(context.Context, storage.ID, time.Time) error { return errPending }

func (s *Store) FinishLogoutNotice(context.Context, storage.ID) error { return errPending }

func (s *Store) CreateRegistrationToken(context.Context, *storage.RegistrationToken, *storage.AuditEvent) error {
	return errPending
}

func (s *Store) UseRegistrationToken(context.Context, storage.Digest, time.Time) (*storage.RegistrationToken, error) {
	return nil, errPending
}

func (s *Store) ListRegistrationTokens(context.Context, storage.ID, int) ([]*storage.RegistrationToken, error) {
	return nil, errPending
}

func (s *Store) RemoveRegistrationToken(context.Context, storage.ID, *storage.AuditEvent) error {
	return errPending
}

func (s *Store) CreateRegisteredClient(context.Context, *storage.Client, int, *storage.AuditEvent) (*storage.Client, error) {
	return nil, errPending
}
