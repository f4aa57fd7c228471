package servertest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"latchkey/storage"
)

// Outage is a store whose database can be taken away.
type Outage struct {
	storage.Store
	away atomic.Bool
}

// NewOutage makes a store that works until Away(true).
func NewOutage(s storage.Store) *Outage { return &Outage{Store: s} }

// Away makes every method that a request needs fail with storage.ErrUnavailable, or work again.
func (o *Outage) Away(away bool) { o.away.Store(away) }

func (o *Outage) err() error {
	if o.away.Load() {
		return fmt.Errorf("connect to 192.0.2.1 as latchkey: %w", storage.ErrUnavailable)
	}
	return nil
}

// try and try1 call f unless the database is away.
func try1[A any](o *Outage, f func() (A, error)) (A, error) {
	if err := o.err(); err != nil {
		var none A
		return none, err
	}
	return f()
}

func try(o *Outage, f func() error) error {
	if err := o.err(); err != nil {
		return err
	}
	return f()
}

func (o *Outage) Ping(ctx context.Context) error {
	return try(o, func() error { return o.Store.Ping(ctx) })
}

func (o *Outage) Clock(ctx context.Context) (time.Time, error) {
	return try1(o, func() (time.Time, error) { return o.Store.Clock(ctx) })
}

func (o *Outage) PruneAudit(ctx context.Context, before time.Time, batch int) (n int64, dropped []string, err error) {
	err = try(o, func() error { n, dropped, err = o.Store.PruneAudit(ctx, before, batch); return err })
	return n, dropped, err
}

func (o *Outage) Maintain(ctx context.Context, now time.Time, batch int) (storage.Maintenance, error) {
	return try1(o, func() (storage.Maintenance, error) { return o.Store.Maintain(ctx, now, batch) })
}

func (o *Outage) User(ctx context.Context, id int64) (*storage.User, error) {
	return try1(o, func() (*storage.User, error) { return o.Store.User(ctx, id) })
}

func (o *Outage) UserBySubject(ctx context.Context, subject string) (*storage.User, error) {
	return try1(o, func() (*storage.User, error) { return o.Store.UserBySubject(ctx, subject) })
}

func (o *Outage) AmbiguousLogins(ctx context.Context, names storage.LoginNames) (int, error) {
	return try1(o, func() (int, error) { return o.Store.AmbiguousLogins(ctx, names) })
}

func (o *Outage) UserByUsername(ctx context.Context, name string) (*storage.User, error) {
	return try1(o, func() (*storage.User, error) { return o.Store.UserByUsername(ctx, name) })
}

func (o *Outage) BeginLogin(ctx context.Context, a storage.LoginAttempt) (*storage.LoginCheck, error) {
	return try1(o, func() (*storage.LoginCheck, error) { return o.Store.BeginLogin(ctx, a) })
}

func (o *Outage) Client(ctx context.Context, id string) (*storage.Client, error) {
	return try1(o, func() (*storage.Client, error) { return o.Store.Client(ctx, id) })
}

func (o *Outage) ListClients(ctx context.Context, after string, limit int) ([]*storage.Client, error) {
	return try1(o, func() ([]*storage.Client, error) { return o.Store.ListClients(ctx, after, limit) })
}

func (o *Outage) ClientHasOrigin(ctx context.Context, origin string) (bool, error) {
	return try1(o, func() (bool, error) { return o.Store.ClientHasOrigin(ctx, origin) })
}

func (o *Outage) CreateGrant(ctx context.Context, g *storage.Grant, l *storage.Login, audit ...*storage.AuditEvent) error {
	return try(o, func() error { return o.Store.CreateGrant(ctx, g, l, audit...) })
}

func (o *Outage) Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return try1(o, func() (*storage.LiveGrant, error) { return o.Store.Grant(ctx, id) })
}

func (o *Outage) GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error) {
	return try1(o, func() (*storage.LiveGrant, error) { return o.Store.GrantWithProfile(ctx, id) })
}

func (o *Outage) AttemptGrant(ctx context.Context, a storage.GrantAttempt) (live *storage.LiveGrant, which int, err error) {
	err = try(o, func() error {
		live, which, err = o.Store.AttemptGrant(ctx, a)
		return err
	})
	return live, which, err
}

func (o *Outage) MoveGrant(ctx context.Context, m storage.GrantMove, audit *storage.AuditEvent) (*storage.LiveGrant, error) {
	return try1(o, func() (*storage.LiveGrant, error) { return o.Store.MoveGrant(ctx, m, audit) })
}

func (o *Outage) RevokeGrant(ctx context.Context, id storage.ID, reason string, now time.Time, audit *storage.AuditEvent) (bool, error) {
	return try1(o, func() (bool, error) { return o.Store.RevokeGrant(ctx, id, reason, now, audit) })
}

func (o *Outage) TakeAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) (time.Duration, error) {
	return try1(o, func() (time.Duration, error) { return o.Store.TakeAttempts(ctx, now, buckets...) })
}

func (o *Outage) GiveBackAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) error {
	return try(o, func() error { return o.Store.GiveBackAttempts(ctx, now, buckets...) })
}

func (o *Outage) RevokeToken(ctx context.Context, jti string, expiresAt time.Time, audit *storage.AuditEvent) error {
	return try(o, func() error { return o.Store.RevokeToken(ctx, jti, expiresAt, audit) })
}

func (o *Outage) TokenState(ctx context.Context, jti, clientID string) (*storage.TokenState, error) {
	return try1(o, func() (*storage.TokenState, error) { return o.Store.TokenState(ctx, jti, clientID) })
}

func (o *Outage) ListSigningKeys(ctx context.Context) ([]*storage.SigningKey, error) {
	return try1(o, func() ([]*storage.SigningKey, error) { return o.Store.ListSigningKeys(ctx) })
}

func (o *Outage) ListResources(ctx context.Context) ([]*storage.Resource, error) {
	return try1(o, func() ([]*storage.Resource, error) { return o.Store.ListResources(ctx) })
}

func (o *Outage) AppendAudit(ctx context.Context, events ...*storage.AuditEvent) error {
	return try(o, func() error { return o.Store.AppendAudit(ctx, events...) })
}

func (o *Outage) CreateBrowserSession(ctx context.Context, b *storage.BrowserSession, replaces storage.Digest, l *storage.Login, audit ...*storage.AuditEvent) error {
	return try(o, func() error { return o.Store.CreateBrowserSession(ctx, b, replaces, l, audit...) })
}

func (o *Outage) BrowserSession(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveBrowserSession, error) {
	return try1(o, func() (*storage.LiveBrowserSession, error) { return o.Store.BrowserSession(ctx, hash, clientID) })
}

func (o *Outage) TouchBrowserSession(ctx context.Context, hash storage.Digest, now time.Time) error {
	return try(o, func() error { return o.Store.TouchBrowserSession(ctx, hash, now) })
}

func (o *Outage) EndBrowserSession(ctx context.Context, e storage.BrowserSessionEnd, audit *storage.AuditEvent) (bool, error) {
	return try1(o, func() (bool, error) { return o.Store.EndBrowserSession(ctx, e, audit) })
}

func (o *Outage) CreateAuthorizationCode(ctx context.Context, c *storage.AuthorizationCode, audit ...*storage.AuditEvent) error {
	return try(o, func() error { return o.Store.CreateAuthorizationCode(ctx, c, audit...) })
}

func (o *Outage) AuthorizationCode(ctx context.Context, hash storage.Digest) (*storage.LiveAuthorizationCode, error) {
	return try1(o, func() (*storage.LiveAuthorizationCode, error) { return o.Store.AuthorizationCode(ctx, hash) })
}

func (o *Outage) RedeemAuthorizationCode(ctx context.Context, hash storage.Digest, g *storage.Grant, audit ...*storage.AuditEvent) error {
	return try(o, func() error { return o.Store.RedeemAuthorizationCode(ctx, hash, g, audit...) })
}

func (o *Outage) CreateDeviceCode(ctx context.Context, c *storage.DeviceCode) error {
	return try(o, func() error { return o.Store.CreateDeviceCode(ctx, c) })
}

func (o *Outage) PendingDeviceCode(ctx context.Context, userCode storage.Digest, now time.Time) (*storage.DeviceCode, error) {
	return try1(o, func() (*storage.DeviceCode, error) { return o.Store.PendingDeviceCode(ctx, userCode, now) })
}

func (o *Outage) AnswerDeviceCode(ctx context.Context, a storage.DeviceAnswer, audit *storage.AuditEvent) error {
	return try(o, func() error { return o.Store.AnswerDeviceCode(ctx, a, audit) })
}

func (o *Outage) PollDeviceCode(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveDeviceCode, error) {
	return try1(o, func() (*storage.LiveDeviceCode, error) { return o.Store.PollDeviceCode(ctx, hash, clientID) })
}

func (o *Outage) RedeemDeviceCode(ctx context.Context, hash storage.Digest, g *storage.Grant, until time.Time, audit ...*storage.AuditEvent) error {
	return try(o, func() error { return o.Store.RedeemDeviceCode(ctx, hash, g, until, audit...) })
}

func (o *Outage) GrantConsent(ctx context.Context, c *storage.Consent, audit *storage.AuditEvent) error {
	return try(o, func() error { return o.Store.GrantConsent(ctx, c, audit) })
}

func (o *Outage) SearchConsents(ctx context.Context, f storage.ConsentFilter) ([]*storage.Consent, error) {
	return try1(o, func() ([]*storage.Consent, error) { return o.Store.SearchConsents(ctx, f) })
}

func (o *Outage) RevokeConsent(ctx context.Context, e storage.ConsentEnd, audit *storage.AuditEvent) (bool, error) {
	return try1(o, func() (bool, error) { return o.Store.RevokeConsent(ctx, e, audit) })
}

func (o *Outage) ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error) {
	return try1(o, func() ([]*storage.LiveGrant, error) { return o.Store.ListGrants(ctx, f) })
}

func (o *Outage) CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error {
	return try(o, func() error { return o.Store.CreatePushedRequest(ctx, p) })
}

func (o *Outage) PushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	return try1(o, func() (*storage.PushedRequest, error) { return o.Store.PushedRequest(ctx, hash, clientID, now) })
}

func (o *Outage) TakePushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error) {
	return try1(o, func() (*storage.PushedRequest, error) { return o.Store.TakePushedRequest(ctx, hash, clientID, now) })
}

func (o *Outage) UseJTI(ctx context.Context, clientID string, jti storage.Digest, expiresAt time.Time) error {
	return try(o, func() error { return o.Store.UseJTI(ctx, clientID, jti, expiresAt) })
}

func (o *Outage) ListBrowserSessions(ctx context.Context, userID int64, now time.Time, limit int) ([]*storage.BrowserSession, error) {
	return try1(o, func() ([]*storage.BrowserSession, error) { return o.Store.ListBrowserSessions(ctx, userID, now, limit) })
}

func (o *Outage) ListConsents(ctx context.Context, userID int64, limit int) ([]*storage.Consent, error) {
	return try1(o, func() ([]*storage.Consent, error) { return o.Store.ListConsents(ctx, userID, limit) })
}

func (o *Outage) AccountToken(ctx context.Context, hash storage.Digest, purpose string, now time.Time) (*storage.AccountToken, error) {
	return try1(o, func() (*storage.AccountToken, error) { return o.Store.AccountToken(ctx, hash, purpose, now) })
}

func (o *Outage) UseAccountToken(ctx context.Context, use storage.AccountTokenUse, audit *storage.AuditEvent) error {
	return try(o, func() error { return o.Store.UseAccountToken(ctx, use, audit) })
}

func (o *Outage) CreateOutboxMessages(ctx context.Context, messages ...*storage.OutboxMessage) error {
	return try(o, func() error { return o.Store.CreateOutboxMessages(ctx, messages...) })
}

func (o *Outage) ClaimOutboxMessages(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) ([]*storage.OutboxMessage, error) {
	return try1(o, func() ([]*storage.OutboxMessage, error) {
		return o.Store.ClaimOutboxMessages(ctx, kind, now, lease, limit)
	})
}

func (o *Outage) FinishOutboxMessage(ctx context.Context, id storage.ID, next ...*storage.OutboxMessage) error {
	return try(o, func() error { return o.Store.FinishOutboxMessage(ctx, id, next...) })
}

func (o *Outage) ClaimLogoutNotices(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]*storage.LogoutNotice, error) {
	return try1(o, func() ([]*storage.LogoutNotice, error) { return o.Store.ClaimLogoutNotices(ctx, now, lease, limit) })
}

func (o *Outage) RetryLogoutNotice(ctx context.Context, id storage.ID, at time.Time) error {
	return try(o, func() error { return o.Store.RetryLogoutNotice(ctx, id, at) })
}

func (o *Outage) FinishLogoutNotice(ctx context.Context, id storage.ID) error {
	return try(o, func() error { return o.Store.FinishLogoutNotice(ctx, id) })
}

func (o *Outage) RegistrationToken(ctx context.Context, hash storage.Digest, now time.Time) (*storage.RegistrationToken, error) {
	return try1(o, func() (*storage.RegistrationToken, error) { return o.Store.RegistrationToken(ctx, hash, now) })
}

func (o *Outage) UseRegistrationToken(ctx context.Context, hash storage.Digest, now time.Time, c *storage.Client, audit *storage.AuditEvent) error {
	return try(o, func() error { return o.Store.UseRegistrationToken(ctx, hash, now, c, audit) })
}

func (o *Outage) CreateRegisteredClient(ctx context.Context, c *storage.Client, most int, audit *storage.AuditEvent) (*storage.Client, error) {
	return try1(o, func() (*storage.Client, error) { return o.Store.CreateRegisteredClient(ctx, c, most, audit) })
}

func (o *Outage) RevokeGrants(ctx context.Context, f storage.GrantFilter, reason string, now time.Time, audit *storage.AuditEvent) (int, error) {
	return try1(o, func() (int, error) { return o.Store.RevokeGrants(ctx, f, reason, now, audit) })
}

func (o *Outage) CreateClient(ctx context.Context, c *storage.Client, audit *storage.AuditEvent) error {
	return try(o, func() error { return o.Store.CreateClient(ctx, c, audit) })
}

func (o *Outage) UpdateClient(ctx context.Context, c *storage.Client, audit ...*storage.AuditEvent) error {
	return try(o, func() error { return o.Store.UpdateClient(ctx, c, audit...) })
}

func (o *Outage) RemoveClient(ctx context.Context, id string, audit *storage.AuditEvent) error {
	return try(o, func() error { return o.Store.RemoveClient(ctx, id, audit) })
}
