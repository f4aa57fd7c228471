package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/factors"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/users"
	"latchkey/storage"
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
	password, code := splitCode(g.req.Password)
	if g.policy.SecondFactor != clients.SecondFactorAppend || g.factors.Off() {
		code = ""
	}
	if code != "" {
		g.login, err = g.checkPassword(ctx, password)
		switch {
		case err == nil && g.login.SecondFactor:
			err = g.proveCode(ctx, code)
		case err == nil: // the password of a user without a second factor has no code behind it
			g.users.GiveBack(ctx, g.login)
			g.login, err = nil, users.ErrCredentials
		}
	}
	if code == "" || errors.Is(err, users.ErrCredentials) && g.login == nil {
		// Passwords may end in six digits.
		if g.login, err = g.checkPassword(ctx, g.req.Password); err == nil {
			err = g.refuseSecondFactor()
		}
	}
	var throttled *users.ThrottledError
	switch {
	case errors.Is(err, users.ErrCredentials), errors.Is(err, factors.ErrWrong):
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

func (g *passwordGrant) checkPassword(ctx context.Context, password storage.Secret) (*users.Authenticated, error) {
	if g.req.ExactUsername {
		return g.users.AuthenticateExact(ctx, g.req.Username, password)
	}
	return g.users.Authenticate(ctx, g.req.Username, password)
}

// codeLength is the length of the code that follows a password.
const codeLength = 6

// splitCode splits the code of an application off a password that six digits follow.
func splitCode(password storage.Secret) (rest storage.Secret, code string) {
	text := password.Reveal()
	i := len(text) - codeLength
	if i < 1 || strings.Trim(text[i:], "0123456789") != "" {
		return password, ""
	}
	return storage.Secret(text[:i]), text[i:]
}

// proveCode checks the code that followed the password.
func (g *passwordGrant) proveCode(ctx context.Context, code string) error {
	set, err := g.factors.Of(ctx, g.login.User)
	if err != nil {
		return err
	}
	methods, err := g.factors.ProveCode(ctx, set, code)
	g.login.Methods = append([]string{claims.AMRPassword}, methods...)
	return err
}

// refuseSecondFactor refuses a user whose password was right, and not enough.
func (g *passwordGrant) refuseSecondFactor() error {
	switch need := g.factors.Need(g.login.User, g.login.SecondFactor); {
	case need == factors.NeedNothing || g.policy.SecondFactor == clients.SecondFactorIgnore:
		return nil
	case need == factors.NeedProof && g.policy.SecondFactor == clients.SecondFactorAppend:
		return protocol.Refuse("invalid_grant", reasons.SecondFactor,
			"The account has a second factor: append the six digits of the authenticator app to the password.")
	}
	return protocol.Refuse("invalid_grant", reasons.SecondFactor,
		"The account needs a second factor, which the password grant does not ask for. Log in with the browser (authorization_code). "+
			"The operator can allow the client to go on without: password_grant_second_factor.")
}

// undo returns the attempt when the session could not be begun.
func (g *passwordGrant) undo(ctx context.Context) { g.users.GiveBack(ctx, g.login) }

// move stores the session with everything that the login changes.
func (g *passwordGrant) move(ctx context.Context) error {
	g.begin(ctx, g.user.ID, g.user.AuthEpoch, g.audience)
	if g.grant.AMR = g.login.Methods; len(g.grant.AMR) == 0 {
		g.grant.AMR = []string{claims.AMRPassword}
	}
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
