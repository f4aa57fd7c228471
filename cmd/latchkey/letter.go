package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	wire "latchkey/admin"
	"latchkey/server/admin"
	"latchkey/server/proof"
	"latchkey/server/users"
	"latchkey/storage"
)

type letterCmd struct {
	List      letterListCmd      `cmd:"" help:"List the letters that could not be delivered, newest first."`
	SendAgain letterSendAgainCmd `cmd:"" help:"Make a letter anew and send it."`
	Dismiss   letterDismissCmd   `cmd:"" help:"Remove a letter from the list."`
}

// letterAdmin is what commands do with letters that could not be delivered. An *admin.API is one, and localLetters on the database.
type letterAdmin interface {
	Letters(ctx context.Context, f wire.LetterFilter) iter.Seq2[wire.Letter, error]
	SendLetterAgain(ctx context.Context, id string, o ...wire.Option) (*wire.Letter, error)
	DismissLetter(ctx context.Context, id string, o ...wire.Option) (*wire.Letter, error)
}

// letters returns what lists letters and sends them again.
func (a *app) letters(ctx context.Context) (letterAdmin, error) {
	if a.remote() {
		return a.api(ctx)
	}
	s, err := a.openServer(ctx)
	if err != nil {
		return nil, err
	}
	if !s.SendsLetters() {
		return nil, errNoLetters
	}
	return localLetters{s.Proof()}, nil
}

type localLetters struct{ service *proof.Service }

func (l localLetters) Letters(ctx context.Context, f wire.LetterFilter) iter.Seq2[wire.Letter, error] {
	return mapped(storage.Pages(
		func(u *proof.Undelivered) storage.ID { return u.ID },
		func(before storage.ID) ([]*proof.Undelivered, error) {
			return l.service.UndeliveredLetters(ctx, storage.UndeliveredLetterFilter{UserID: f.UserID, Before: before, Limit: storage.PageSize})
		},
	), func(u *proof.Undelivered) (wire.Letter, error) { return admin.DescribeLetter(u), nil })
}

// change does something with a letter, and returns it.
func (l localLetters) change(ctx context.Context, text string, do func(context.Context, *proof.Undelivered) error) (*wire.Letter, error) {
	id, err := storage.ParseID(text)
	if err != nil {
		return nil, err
	}
	u, err := l.service.Undelivered(ctx, id)
	if err != nil {
		return nil, err
	}
	return new(admin.DescribeLetter(u)), do(ctx, u)
}

func (l localLetters) SendLetterAgain(ctx context.Context, id string, _ ...wire.Option) (*wire.Letter, error) {
	return l.change(ctx, id, l.service.SendAgain)
}

func (l localLetters) DismissLetter(ctx context.Context, id string, _ ...wire.Option) (*wire.Letter, error) {
	return l.change(ctx, id, l.service.Dismiss)
}

type letterListCmd struct {
	User string `help:"Letters about this user." placeholder:"NAME"`
	JSON bool   `help:"Print JSON."`
	remoteServerFlags
}

func (c *letterListCmd) Run(ctx context.Context, a *app) error {
	a.reading = true
	service, err := a.letters(ctx)
	if err != nil {
		return err
	}
	var filter wire.LetterFilter
	if c.User != "" {
		people, err := a.users(ctx)
		if err != nil {
			return err
		}
		u, err := findUser(ctx, people, c.User)
		if err != nil {
			return err
		}
		filter.UserID = u.ID
	}
	return list[wire.Letter]{
		a, c.JSON, "letters",
		[]string{"ID", "LETTER", "USER", "RECIPIENT", "ABANDONED", "ATTEMPTS", "SEND AGAIN", "LAST ERROR"},
		func(l wire.Letter) []string {
			return []string{l.ID, l.Name, l.Username, l.Recipient, when(l.AbandonedAt), strconv.Itoa(l.Attempts), yes(l.CanSendAgain), l.LastError}
		},
	}.print(explainedList(service.Letters(ctx, filter)), nil)
}

// letterID names a letter.
type letterID struct {
	ID   string `arg:"" name:"id" help:"Id of the letter, as in the list."`
	JSON bool   `help:"Print JSON."`
	remoteServerFlags
}

// change does something with the letter, and says so.
func (c *letterID) change(ctx context.Context, a *app, done string, do func(letterAdmin) (*wire.Letter, error)) error {
	if _, err := storage.ParseID(c.ID); err != nil {
		return usage("the argument is not the id of a letter. List them with `latchkey letter list`.")
	}
	service, err := a.letters(ctx)
	if err != nil {
		return err
	}
	l, err := do(service)
	if err = explainLetter(explainRemote(err), c.ID); err != nil {
		return err
	}
	return a.confirm(c.JSON, l, done, c.ID)
}

func explainLetter(err error, id string) error {
	var throttled *users.ThrottledError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no letter %s that could not be delivered: it was sent again or dismissed, or never was. List them with `latchkey letter list`", id)
	case errors.Is(err, proof.ErrNotAgain), errors.Is(err, proof.ErrNoAddress):
		return fmt.Errorf("letter %s can't be sent again: the person has to ask for it, or the user is disabled or has no address", id)
	case errors.Is(err, proof.ErrGone):
		return fmt.Errorf("letter %s can't be sent again: the invitation was accepted or withdrawn, or has ended", id)
	case errors.As(err, &throttled):
		return fmt.Errorf("too many letters were sent to this user. Try again in %s", throttled.RetryAfter.Round(time.Second))
	}
	return err
}

type letterSendAgainCmd struct{ letterID }

func (c *letterSendAgainCmd) Help() string {
	return "The running server sends it by e-mail. Links and codes are new; a letter for a password goes to the address that the user has now, and an invitation is replaced by one with the same end."
}

func (c *letterSendAgainCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "letter %s is on its way again", func(s letterAdmin) (*wire.Letter, error) { return s.SendLetterAgain(ctx, c.ID) })
}

type letterDismissCmd struct{ letterID }

func (c *letterDismissCmd) Run(ctx context.Context, a *app) error {
	return c.change(ctx, a, "dismissed letter %s", func(s letterAdmin) (*wire.Letter, error) { return s.DismissLetter(ctx, c.ID) })
}
