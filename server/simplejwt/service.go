package simplejwt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/clientauth"
	"latchkey/server/internal/pyjson"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/token"
	"latchkey/storage"
)

// Tokens is what the routes need. A *Service is one.
type Tokens interface {
	Exchange(ctx context.Context, req *token.Request) (*token.Response, error)
	ExchangeSliding(ctx context.Context, req *token.Request) (*token.Response, error)
	Fields(resp *token.Response) []pyjson.Member
	Verify(ctx context.Context, raw storage.Secret) error
	Blacklist(ctx context.Context, raw storage.Secret) error
}

// Clients is the part of the client registry that a Service needs.
type Clients interface {
	Client(ctx context.Context, id string) (*clients.Client, error)
}

// Service does what simplejwt's serializers do, by the token service.
type Service struct {
	tokens  *token.Service
	format  *Format
	clients Clients
	clock   func() time.Time
}

var _ Tokens = (*Service)(nil)

// NewService returns a Service.
func NewService(tokens *token.Service, format *Format, c Clients, now func() time.Time) *Service {
	return &Service{tokens: tokens, format: format, clients: c, clock: now}
}

// now returns the present time with the precision of the database.
func (s *Service) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Exchange asks for a pair of tokens as the built-in client.
func (s *Service) Exchange(ctx context.Context, req *token.Request) (*token.Response, error) {
	req.Client = clientauth.Credentials{Method: clients.AuthNone, ID: clients.SimpleJWTID}
	return s.tokens.Exchange(ctx, req)
}

// ExchangeSliding asks for a sliding token, which is the access token of the answer. A password gets a new one; one that is sent as
// the refresh token is written anew.
func (s *Service) ExchangeSliding(ctx context.Context, req *token.Request) (*token.Response, error) {
	req.Format = s.format.Sliding()
	return s.Exchange(ctx, req)
}

// Fields returns what the site wants in the answer of a login.
func (s *Service) Fields(resp *token.Response) []pyjson.Member { return s.format.Fields(resp) }

// Verify returns nil for a token of any type that is authentic and unexpired. As in simplejwt that is all, except for
// refresh and sliding tokens under a policy that retires tokens (BLACKLIST_AFTER_ROTATION): those must not be retired, nor their
// session revoked. Introspection reports whether a session is alive in every respect.
//
// The error is a *protocol.Error, which wraps a *codec.Invalid where the token itself is at fault, or an outage.
func (s *Service) Verify(ctx context.Context, raw storage.Secret) error {
	now, f := s.now(), s.format
	parsed, err := f.parse(ctx, raw, "", now)
	if err != nil || parsed.Type() != "refresh" && parsed.Type() != "sliding" {
		return err
	}
	t, err := f.refreshToken(parsed, now)
	if err != nil {
		return err
	}
	client, err := s.clients.Client(ctx, clients.SimpleJWTID)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	p := s.tokens.PolicyOf(client)
	if p.Rotation == clients.RotationOff || p.Rotation == clients.RotationReissue {
		return nil
	}
	if err := f.endedByItself(ctx, t); err != nil {
		return err
	}
	live, err := f.store.Grant(ctx, t.Grant)
	switch {
	case errors.Is(err, storage.ErrNotFound) && t.Adopt != nil:
		return nil // written by Django, not used here yet
	case errors.Is(err, storage.ErrNotFound):
		return protocol.InvalidGrant(reasons.UnknownGrant)
	case err != nil:
		return fmt.Errorf("verify: %w", err)
	case !live.RevokedAt.IsZero():
		return protocol.InvalidGrant(reasons.SessionRevoked)
	case live.User != nil && !t.OfUser(live.User):
		return protocol.InvalidGrant(reasons.OtherUser)
	}
	if reason := s.tokens.Dead(live, t, p); reason != reasons.None {
		return protocol.InvalidGrant(reason)
	}
	return nil
}

// Blacklist ends the session of a refresh token. A token that was used before, or whose session has ended, is an error, as in
// simplejwt.
func (s *Service) Blacklist(ctx context.Context, raw storage.Secret) error {
	t, err := s.format.ReadRefresh(ctx, raw, s.now())
	if err != nil {
		return err
	}
	client, err := s.clients.Client(ctx, clients.SimpleJWTID)
	if err != nil {
		return fmt.Errorf("blacklist: %w", err)
	}
	if err := s.format.endedByItself(ctx, t); err != nil {
		return err
	}
	if err := s.format.recordPresented(ctx, t, s.now()); err != nil {
		return err
	}
	return s.tokens.Blacklist(ctx, client, t)
}

// endedByItself returns an error for a token that Django has ended, whatever became of its session.
func (f *Format) endedByItself(ctx context.Context, t *token.RefreshToken) error {
	if t.JTI == "" {
		return nil
	}
	state, err := f.store.TokenState(ctx, t.JTI, clients.SimpleJWTID)
	if err != nil {
		return fmt.Errorf("find out whether a token was ended: %w", err)
	}
	if state.Revoked {
		return protocol.InvalidGrant(reasons.Retired)
	}
	return nil
}
