package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/admin"
	"latchkey/server/proof"
	"latchkey/server/users"
)

type userSendPasswordLinkCmd struct {
	userName
	JSON bool `help:"Print JSON."`
	remoteServerFlags
}

func (c *userSendPasswordLinkCmd) Help() string {
	return "The running server sends it by e-mail. Users without a password get one too, as those have that a directory has provisioned: their link lives a day, " +
		"others half an hour. Sessions end when the password is chosen."
}

func (c *userSendPasswordLinkCmd) Run(ctx context.Context, a *app) error {
	return a.changeUser(ctx, c.Name, c.JSON, "the link for a password is on its way to user %s", func(_ userAdmin, u *admin.User) (*admin.User, error) {
		return u, a.sendPasswordLink(ctx, u)
	})
}

// errNoLetters is the error of a command that needs letters.
var errNoLetters = errors.New("this server sends no letters. Set --smtp-url (LATCHKEY_SMTP_URL) here and for the server; users in Django get theirs from Django")

func (a *app) sendPasswordLink(ctx context.Context, u *admin.User) error {
	if a.remote() {
		api, err := a.api(ctx)
		if err == nil {
			_, err = api.SendPasswordLink(ctx, u.ID)
		}
		return explainRemote(err)
	}
	s, err := a.newServer(ctx)
	if err != nil {
		return err
	}
	if !s.SendsLetters() {
		return errNoLetters
	}
	row, err := a.store.User(ctx, u.ID)
	if err != nil {
		return err
	}
	err = s.Proof().SendPasswordLink(ctx, row)
	var throttled *users.ThrottledError
	switch {
	case errors.Is(err, proof.ErrNoAddress):
		return fmt.Errorf("user %q has no e-mail address, or is disabled. See `latchkey user update --email` and `latchkey user enable`", u.Username)
	case errors.As(err, &throttled):
		return fmt.Errorf("too many letters were sent to user %q. Try again in %s", u.Username, throttled.RetryAfter.Round(time.Second))
	}
	return err
}
