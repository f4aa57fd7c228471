package admin

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Letter is a letter that could not be delivered. What it said is gone, with its link and its code.
type Letter struct {
	ID string `json:"id" format:"uuid"`
	// Name is that of its template, such as reset or invitation; empty if the letter could not be read.
	Name      string `json:"name,omitempty" doc:"Which letter it is, for example reset or invitation; absent if it could not be read."`
	UserID    int64  `json:"user_id,omitempty" doc:"The user that it is about; absent if there is none."`
	Username  string `json:"username,omitempty"`
	Recipient string `json:"recipient,omitempty" doc:"The address that it was for."`
	// QueuedAt is when it was queued, AbandonedAt when the last attempt had failed, and ExpiresAt when it leaves the list by itself.
	QueuedAt    time.Time `json:"queued_at"`
	AbandonedAt time.Time `json:"abandoned_at"`
	ExpiresAt   time.Time `json:"expires_at" doc:"When it leaves the list by itself."`
	Attempts    int       `json:"attempts"`
	Refused     bool      `json:"refused" doc:"Whether the mail server refused it for good; otherwise its time was over."`
	LastError   string    `json:"last_error,omitempty" doc:"Why the last attempt failed; absent if that is not known."`
	// CanSendAgain is false where only the person can ask for another one.
	CanSendAgain bool `json:"can_send_again" doc:"Whether it can be sent again. A sign-up and another address are the person's to ask for."`
}

// LetterFilter selects letters; zero fields select all.
type LetterFilter struct {
	UserID int64
}

// Letters lists the letters that could not be delivered, newest first.
func (a *API) Letters(ctx context.Context, f LetterFilter) iter.Seq2[Letter, error] {
	return list[Letter](ctx, a, "/letters", filters("user_id", id(f.UserID)))
}

// Letter shows a letter that could not be delivered.
func (a *API) Letter(ctx context.Context, letterID string) (*Letter, error) {
	return one[Letter](ctx, a, newCall(http.MethodGet, "/letters"+segment(letterID), nil))
}

// SendLetterAgain makes a letter anew and sends it. It is not in the list any more then.
func (a *API) SendLetterAgain(ctx context.Context, letterID string, o ...Option) (*Letter, error) {
	return one[Letter](ctx, a, newCall(http.MethodPost, "/letters"+segment(letterID)+"/send-again", nil, o...))
}

// DismissLetter removes a letter from the list.
func (a *API) DismissLetter(ctx context.Context, letterID string, o ...Option) (*Letter, error) {
	return one[Letter](ctx, a, newCall(http.MethodDelete, "/letters"+segment(letterID), nil, o...))
}
