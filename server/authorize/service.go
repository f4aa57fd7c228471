package authorize

import (
	"context"
	"time"

	"latchkey/clients/registry"
	"latchkey/server/claims"
	"latchkey/server/clientauth"
	"latchkey/server/dpop"
	"latchkey/server/internal/seal"
	"latchkey/server/keys"
	"latchkey/server/token"
	"latchkey/storage"
)

// Store is the part of the database that authorization requests need.
type Store interface {
	CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error
	PushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error)
	TakePushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error)
	CreateDeviceCode(ctx context.Context, c *storage.DeviceCode) error
	PendingDeviceCode(ctx context.Context, userCode storage.Digest, now time.Time) (*storage.DeviceCode, error)
	AnswerDeviceCode(ctx context.Context, a storage.DeviceAnswer, audit *storage.AuditEvent) error
	TakeAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) (time.Duration, error)
	GiveBackAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) error
}

// Config is the configuration of a Service.
type Config struct {
	Store   Store
	Clients *registry.Registry
	Auth    *clientauth.Authenticator
	Tokens  *token.Service
	Proofs  *dpop.Checker
	Root    *keys.Root
	// Sealer seals what browsers carry.
	Sealer *seal.Sealer
	// Issuer is the issuer identifier, the iss of every answer (RFC 9207).
	Issuer string
	// Claims are those about users; nil means the standard ones.
	Claims *claims.Catalog
	// ACRs are the values of acr that logins here can have.
	ACRs []string
	// RequirePKCE requires PKCE of every client, whatever its own setting.
	RequirePKCE bool
	Now         func() time.Time
}

// Service serves authorization requests.
type Service struct {
	cfg          Config
	pushKey      []byte
	userCodeKeys [][]byte
}

// New returns a Service.
func New(cfg Config) *Service {
	if cfg.Claims == nil {
		cfg.Claims = claims.Standard()
	}
	return &Service{
		cfg: cfg, pushKey: cfg.Root.Derive("pushed requests")[0], userCodeKeys: cfg.Root.Derive("user codes"),
	}
}

// now returns the present time with the precision of the database.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }
