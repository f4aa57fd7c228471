package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/users"
)

// passwordGrant is the resource owner password credentials grant (RFC 6749 §4.3).
type passwordGrant struct {
	*exchange
	login *users.Authenticated
}

func (g *passwordGrant) load(ctx context.Context) (err error) {
	g.scope = g.askedScope()
	g.audience, err = g.AllowResources(ctx, g.client, g.req.Resource)
	return err
}

// check lets fosite decide when the password is checked: last, so that no other mistake costs an attempt.
func (g *passwordGrant) check(ctx context.Context) error {
	return g.rules.password(g.client, g.scope, g.req.Username, g.req.Password.Reveal(), func() error { return g.authenticate(ctx) })
}

func (g *passwordGrant) authenticate(ctx context.Context) (err error) {
	authenticate := g.users.Authenticate
	if g.req.ExactUsername {
		authenticate = g.users.AuthenticateExact
	}
	g.login, err = authenticate(ctx, g.req.Username, g.req.Password)
	var throttled *users.ThrottledError
	switch {
	case errors.Is(err, users.ErrCredentials):
		return protocol.Refuse("invalid_grant", reasons.Credentials, "The username or password is incorrect.")
	case errors.As(err, &throttled):
		return protocol.Throttled(throttled.RetryAfter, "Too many attempts. Try again later.")
	case errors.Is(err, users.ErrOverload):
		return protocol.Overloaded("The server is busy. Try again.")
	case err == nil:
		g.user = g.login.User
	}
	return err
}

// undo returns the attempt when the session could not be begun.
func (g *passwordGrant) undo(ctx context.Context) { g.users.GiveBack(ctx, g.login) }

// move stores the session with everything that the login changes.
func (g *passwordGrant) move(ctx context.Context) error {
	g.begin(ctx, g.user.ID, g.user.AuthEpoch, g.audience)
	if g.login.Login != nil && g.req.KeepLastLogin {
		g.login.Login.SetLastLogin = time.Time{}
	}
	event := g.audit.Limited(ctx, g.users.LoginEvent(ctx, g.user, g.client.ID, g.grant.ID))
	if err := g.store.CreateGrant(ctx, g.grant, g.login.Login, event); err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	g.audit.Written(event)
	return nil
}
