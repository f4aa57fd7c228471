package admin

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	wire "latchkey/admin"
	"latchkey/server/proof"
	"latchkey/server/users"
	"latchkey/storage"
)

// letterRoutes declares the operations on letters that could not be delivered. They are about users and their addresses, and send what the
// scopes of users can send already: a link for a password, an invitation.
func (a *API) letterRoutes() {
	const all, one = "/letters", "/letters/{id}"
	register(a, op("list-letters", http.MethodGet, all, scopeUsersRead, "List the letters that could not be delivered, newest first", http.StatusConflict), a.listLetters)
	register(a, op("show-letter", http.MethodGet, one, scopeUsersRead, "Show a letter that could not be delivered", http.StatusNotFound, http.StatusConflict), a.showLetter)
	again := op("send-letter-again", http.MethodPost, one+"/send-again", scopeUsersWrite, "Make a letter anew that could not be delivered, and send it",
		http.StatusNotFound, http.StatusConflict, http.StatusTooManyRequests)
	again.Description = "Links and codes are new. A letter for a password goes to the address that the user has now; an invitation is replaced by one with the same end. " +
		"The letter is removed from the list."
	again.DefaultStatus = http.StatusAccepted
	register(a, again, a.sendLetterAgain)
	register(a, op("dismiss-letter", http.MethodDelete, one, scopeUsersWrite, "Remove a letter that could not be delivered from the list",
		http.StatusNotFound, http.StatusConflict), a.dismissLetter)
}

// LetterPath is the parameter that names a letter.
type LetterPath struct {
	ID string `path:"id" format:"uuid" doc:"The id of the letter."`
}

// LetterFilters are the parameters that select letters.
type LetterFilters struct {
	UserID int64 `query:"user_id" minimum:"1" doc:"Only letters about this user."`
}

// DescribeLetter returns a letter as operators see it.
func DescribeLetter(l *proof.Undelivered) wire.Letter {
	out := wire.Letter{
		ID: l.ID.String(), Name: l.Name, UserID: l.UserID, Recipient: l.Recipient, QueuedAt: l.QueuedAt, AbandonedAt: l.AbandonedAt, ExpiresAt: l.ExpiresAt,
		Attempts: l.Attempts, Refused: l.Refused, LastError: l.LastError, CanSendAgain: l.CanSendAgain(),
	}
	if l.User != nil {
		out.Username = l.User.Username
	}
	return out
}

// errNoMail is the answer where there are no letters.
func errNoMail() error {
	return refusal(http.StatusConflict, "no-mail", "This server sends no letters: its operator has set no --smtp-url, or its users are in Django.")
}

func (a *API) listLetters(ctx context.Context, in *struct {
	LetterFilters
	Paging
},
) (*listed[wire.Letter], error) {
	if a.Letters == nil {
		return nil, errNoMail()
	}
	read := func(before storage.ID, limit int) ([]*proof.Undelivered, error) {
		return a.Letters.UndeliveredLetters(ctx, storage.UndeliveredLetterFilter{UserID: in.UserID, Before: before, Limit: limit})
	}
	return list(a, in.Paging, in.LetterFilters, read, func(l *proof.Undelivered) storage.ID { return l.ID }, plain(DescribeLetter))
}

// letter returns the letter with an id.
func (a *API) letter(ctx context.Context, id string) (*proof.Undelivered, error) {
	if a.Letters == nil {
		return nil, errNoMail()
	}
	return byID(ctx, "letter", id, a.Letters.Undelivered)
}

type shownLetter = shown[wire.Letter]

func answerLetter(l *proof.Undelivered, err error) (*shownLetter, error) {
	if err != nil {
		return nil, err
	}
	return &shownLetter{DescribeLetter(l)}, nil
}

func (a *API) showLetter(ctx context.Context, in *struct{ LetterPath }) (*shownLetter, error) {
	return answerLetter(a.letter(ctx, in.ID))
}

// ChangeLetter are the parameters of a change.
type ChangeLetter struct {
	LetterPath
	Trial
}

func (a *API) sendLetterAgain(ctx context.Context, in *ChangeLetter) (*shownLetter, error) {
	l, err := a.letter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.DryRun && l.CanSendAgain() {
		return answerLetter(l, nil)
	}
	switch err = a.Letters.SendAgain(ctx, l); {
	case errors.Is(err, proof.ErrNotAgain), errors.Is(err, proof.ErrNoAddress):
		return nil, refusal(http.StatusConflict, "not-again", "This letter can't be sent again: the person has to ask for it, or the user is disabled or has no address.")
	case errors.Is(err, proof.ErrGone):
		return nil, refusal(http.StatusConflict, "gone", "The invitation was accepted or withdrawn, or has ended.")
	}
	return answerLetter(l, orTooManyLetters(err))
}

// orTooManyLetters returns the answer where the limits of letters are reached, and any other error as it is.
func orTooManyLetters(err error) error {
	var t *users.ThrottledError
	if !errors.As(err, &t) {
		return err
	}
	p := refusal(http.StatusTooManyRequests, "", "Too many letters were sent to this user. Try again later.")
	return huma.ErrorWithHeaders(p, http.Header{"Retry-After": {strconv.Itoa(max(1, int(t.RetryAfter.Seconds())))}})
}

func (a *API) dismissLetter(ctx context.Context, in *ChangeLetter) (*shownLetter, error) {
	l, err := a.letter(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !in.DryRun {
		err = a.Letters.Dismiss(ctx, l)
	}
	return answerLetter(l, orNotFound(err, "letter"))
}
