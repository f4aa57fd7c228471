package token

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// Access is what an access token opens of the API for operators.
type Access struct {
	// Client is the client that the token was issued to.
	Client *clients.Client
	// User is the user with their profile; nil for a token of client_credentials.
	User *storage.User
	// Age is how long ago the user logged in, AMR how (RFC 8176); empty where that is not known, and without a user.
	Age time.Duration
	AMR []string
	// Scope is that of the token, without what the client is not registered for any more.
	Scope []string
}

// Access returns what an access token opens of the API for operators, by one round trip: the state of the token's session, user and client
// counts as it is now. The error is a *protocol.Error, with invalid_token (RFC 6750 §3.1), or an outage.
func (s *Service) Access(ctx context.Context, req *UserInfoRequest) (*Access, error) {
	t, err := s.native.Read(ctx, req.Token, s.now())
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return nil, invalidToken(refused.Reason)
	}
	if err != nil {
		return nil, err
	}
	switch {
	// Another audience beside this one could use the token here (RFC 9700 §2.3), so that it must be the only one.
	case t.Kind != KindAccess || len(t.Audience) != 1 || s.adminAPI == "" || t.Audience[0] != s.adminAPI:
		return nil, invalidToken(reasons.WrongType)
	case t.ExpiresAt <= s.now().Unix():
		return nil, invalidToken(reasons.Expired)
	}
	proof, err := s.proofOf(req, t)
	if err != nil {
		return nil, err
	}
	access, err := s.accessOf(ctx, t)
	if err != nil {
		return nil, err
	}
	if access.Client.Disabled || !access.Client.MayAdminister() {
		return nil, invalidToken(reasons.ClientDisabled)
	}
	if proof != nil {
		if err := s.proofs.Use(ctx, access.Client.ID, proof); err != nil {
			return nil, unauthorized(err)
		}
	}
	access.Scope = slices.DeleteFunc(strings.Fields(t.Scope), func(scope string) bool { return !slices.Contains(access.Client.Scopes(), scope) })
	return access, nil
}

// accessOf returns the client and the user of an access token that is alive.
func (s *Service) accessOf(ctx context.Context, t *Token) (*Access, error) {
	if !t.Grant.IsZero() {
		live, client, reason, err := s.liveGrant(ctx, s.store.GrantWithProfile, t.Grant)
		switch {
		case err != nil:
			return nil, err
		case reason != reasons.None:
			return nil, invalidToken(reason)
		}
		return &Access{Client: client, User: live.User, Age: s.now().Sub(live.AuthTime), AMR: live.AMR}, nil
	}
	var answer Introspection
	alive, err := s.alive(ctx, t, &answer)
	if err != nil {
		return nil, err
	}
	client, err := s.clients.Client(ctx, t.ClientID)
	switch {
	case !alive || errors.Is(err, storage.ErrNotFound):
		return nil, invalidToken(reasons.ClientDisabled)
	case err != nil:
		return nil, err
	}
	return &Access{Client: client}, nil
}

// allowAdminAPI reports whether the resource parameters of a request name the API for operators, alone, and the client may ask for it.
func (s *Service) allowAdminAPI(client *clients.Client, asked []string) bool {
	return s.adminAPI != "" && len(asked) == 1 && sameResource(asked[0], s.adminAPI) && client.MayAdminister()
}
