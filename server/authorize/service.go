package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"latchkey/clients/registry"
	"latchkey/server/clientauth"
	"latchkey/server/internal/seal"
	"latchkey/server/keys"
	"latchkey/server/protocol"
	"latchkey/server/token"
	"latchkey/storage"
)

// Store is the part of the database that authorization requests need.
type Store interface {
	CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error
	TakePushedRequest(ctx context.Context, hash storage.Digest, clientID string, now time.Time) (*storage.PushedRequest, error)
	TakeAttempts(ctx context.Context, now time.Time, buckets ...storage.Bucket) (time.Duration, error)
}

// Config is the configuration of a Service.
type Config struct {
	Store   Store
	Clients *registry.Registry
	Auth    *clientauth.Authenticator
	Tokens  *token.Service
	Root    *keys.Root
	// Issuer is the issuer identifier, the iss of every answer (RFC 9207).
	Issuer string
	Now    func() time.Time
}

// Service serves authorization requests.
type Service struct {
	cfg     Config
	sealer  *seal.Sealer
	pushKey []byte
}

// New returns a Service.
func New(cfg Config) (*Service, error) {
	sealer, err := seal.New(cfg.Root.Derive("browser state"))
	if err != nil {
		return nil, fmt.Errorf("browser state: %w", err)
	}
	return &Service{cfg: cfg, sealer: sealer, pushKey: cfg.Root.Derive("pushed requests")[0]}, nil
}

// now returns the present time with the precision of the database.
func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// Issue answers a request for which Decide returned StepIssue: with a code for the user of the session. One round trip; one more when
// the metadata document of the client has changed since it was stored. The error is an *Error or an outage.
func (s *Service) Issue(ctx context.Context, a *Request, session *storage.LiveBrowserSession) (*Response, error) {
	client, err := s.cfg.Clients.KeepDocument(ctx, a.Client)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	code, err := s.cfg.Tokens.IssueCode(ctx, &token.CodeRequest{
		Client: client, Session: session, RedirectURI: a.RedirectURI, Scope: a.Scope, Resource: a.Resource,
		Challenge: a.challenge, Nonce: a.nonce, Claims: a.claims.Stored(),
	})
	var refused *protocol.Error
	if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
		return nil, a.refuse(refused.Code, "%s", refused.Description)
	}
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	return a.respond(url.Values{"code": {code.Reveal()}}), nil
}
