package token

import (
	"context"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/clientauth"
	"latchkey/server/dpop"
	"latchkey/server/factors"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/mac"
	"latchkey/server/internal/metrics"
	"latchkey/server/internal/outage"
	"latchkey/server/internal/seal"
	"latchkey/server/keys"
	"latchkey/server/users"
	"latchkey/storage"
)

// Store is the part of the database that tokens need. Its promises are those of package storage.
type Store interface {
	outage.Grants
	unwatched
}

// unwatched is the part of it in which outages are not noted.
type unwatched interface {
	RevokeGrant(ctx context.Context, id storage.ID, reason string, now time.Time, event *storage.AuditEvent) (bool, error)
	CreateAuthorizationCode(ctx context.Context, c *storage.AuthorizationCode, events ...*storage.AuditEvent) error
	AuthorizationCode(ctx context.Context, hash storage.Digest) (*storage.LiveAuthorizationCode, error)
	PollDeviceCode(ctx context.Context, hash storage.Digest, clientID string) (*storage.LiveDeviceCode, error)
	TokenState(ctx context.Context, jti, clientID string) (*storage.TokenState, error)
	UseJTI(ctx context.Context, clientID string, jti storage.Digest, expiresAt time.Time) error
	RevokeToken(ctx context.Context, jti string, expiresAt time.Time, event *storage.AuditEvent) error
}

// watchedStore is a Store whose outages are noted.
type watchedStore struct {
	outage.Watched
	unwatched
}

// Clients is the part of the client registry that tokens need.
type Clients interface {
	Client(ctx context.Context, id string) (*clients.Client, error)
	Resources(ctx context.Context) ([]*storage.Resource, error)
}

// Config is the configuration of a Service.
type Config struct {
	Store   Store
	Clients Clients
	Auth    *clientauth.Authenticator
	Users   *users.Service
	Factors *factors.Service
	Keys    *keys.Ring
	// Proofs checks the proofs of possession that requests have.
	Proofs  *dpop.Checker
	Root    *keys.Root
	Audit   *audit.Log
	Metrics *metrics.Metrics
	// Outages notes those of Store; nil makes one.
	Outages *outage.Log
	Now     func() time.Time

	// Issuer is the issuer identifier, the iss of every token.
	Issuer    string
	Lifetimes Lifetimes
	// Rotation is that of clients that have none of their own; empty means confirmed.
	Rotation clients.Rotation
	// Overlap is that of clients that have none of their own; nil means that of the rotation.
	Overlap *time.Duration
	// Claims are those about users; nil means the standard ones.
	Claims *claims.Catalog
	// AnyResource lets clients without a list of their own ask for any resource.
	AnyResource bool
	// AccountsElsewhere is set if users are changed in another database, without the knowledge of this one.
	AccountsElsewhere bool
	// AdminAPI is the resource identifier of the API for operators; empty = there is none.
	AdminAPI string
	// Formats are those besides the service's own, by the name that the policies of clients use.
	Formats map[clients.AccessTokenFormat]Format
}

// Service mints, rotates, checks and ends tokens, whichever route asks for it.
type Service struct {
	store       Store
	clients     Clients
	auth        *clientauth.Authenticator
	users       *users.Service
	factors     *factors.Service
	keys        *keys.Ring
	audit       *audit.Log
	metrics     *metrics.Metrics
	clock       func() time.Time
	issuer      string
	anyResource bool
	adminAPI    string

	accountsElsewhere bool

	claims *claims.Catalog
	proofs *dpop.Checker

	native     *native
	formats    map[clients.AccessTokenFormat]Format
	deployment Policy
	rules      fositeRules
	chain      chain
	networkKey *mac.Key
	outages    *outage.Log
}

// New returns a Service.
func New(c Config) (*Service, error) {
	if c.Claims == nil {
		c.Claims = claims.Standard()
	}
	opaque, err := seal.New(c.Root.Derive("opaque access tokens"))
	if err != nil {
		return nil, fmt.Errorf("opaque access tokens: %w", err)
	}
	if c.Outages == nil {
		c.Outages = outage.NewLog(c.Now)
	}
	return &Service{
		store: watchedStore{outage.Watched{Grants: c.Store, Log: c.Outages}, c.Store}, outages: c.Outages, clients: c.Clients, auth: c.Auth, users: c.Users, factors: c.Factors, keys: c.Keys, audit: c.Audit, metrics: c.Metrics, clock: c.Now,
		issuer: c.Issuer, anyResource: c.AnyResource, adminAPI: c.AdminAPI, accountsElsewhere: c.AccountsElsewhere, claims: c.Claims, proofs: c.Proofs,
		native:  &native{issuer: c.Issuer, keys: c.Keys, refreshKeys: mac.Keys(c.Root.Derive("refresh tokens")), opaque: opaque, claims: c.Claims},
		formats: c.Formats, deployment: deploymentPolicy(c.Lifetimes, c.Rotation, c.Overlap), rules: newFositeRules(),
		// The current secret derives: a chain that spans a change of the root secret gets one more successor.
		chain:      chain{keys: mac.Keys(c.Root.Derive("refresh chain"))},
		networkKey: mac.Keys(c.Root.Derive("refresh networks"))[0],
	}, nil
}

// now returns the present time with the precision of the database.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// formatOf returns the format of a client's refresh tokens.
func (s *Service) formatOf(c *clients.Client) Format {
	if name := c.TokenFormat(); name != "" {
		return s.formats[name]
	}
	return s.native
}

// PolicyOf returns what holds for a client.
func (s *Service) PolicyOf(c *clients.Client) *Policy { return s.formatOf(c).Policy(s.deployment, c) }

// Lifetime returns how long the access of a client lasts at most, from one login or consent.
func (s *Service) Lifetime(c *clients.Client) time.Duration {
	p := s.PolicyOf(c)
	if !c.Allows(clients.GrantRefreshToken) {
		return p.AccessTTL
	}
	return p.Absolute
}

// AllowResources checks the resource parameters (RFC 8707 §2) of a request that begins a session, and returns them as they are
// registered. The error is a *protocol.Error or an outage.
func (s *Service) AllowResources(ctx context.Context, client *clients.Client, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	if s.allowAdminAPI(client, asked) {
		return []string{s.adminAPI}, nil
	}
	allowed := client.Policy.Resources
	if len(allowed) == 0 {
		if s.anyResource {
			for _, resource := range asked {
				if !clients.ValidResource(clients.CanonicalResource(resource)) {
					return nil, invalidTarget()
				}
			}
			return asked, nil
		}
		registered, err := s.clients.Resources(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range registered {
			allowed = append(allowed, r.Identifier)
		}
	}
	return narrowAudience(allowed, asked)
}
