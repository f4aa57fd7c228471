package console

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"latchkey/server/mail"
	"latchkey/server/proof"
	"latchkey/server/users"
	"latchkey/server/web/panel"
	"latchkey/storage"
)

// showLetter shows a letter that could not be delivered, and what can be done about it.
func (h *Handlers) showLetter(ctx context.Context, query url.Values) (*panel.Page, error) {
	l, err := h.letter(ctx, query.Get("id"))
	if err != nil {
		return nil, orNotFound(err)
	}
	return letterPage(l), nil
}

// letter returns the letter with an id. storage.ErrNotFound.
func (h *Handlers) letter(ctx context.Context, text string) (*proof.Undelivered, error) {
	id, err := idOf(text)
	if err != nil || h.Letters == nil {
		return nil, notFound()
	}
	return h.Letters.Undelivered(ctx, id)
}

func letterPage(l *proof.Undelivered) *panel.Page {
	id := l.ID.String()
	actions := panel.Section{Heading: "console.actions", Text: letterHint(l)}
	if l.CanSendAgain() {
		actions.Forms = append(actions.Forms, act(LetterPath, id, "again", "console.send_again"))
	}
	actions.Forms = append(actions.Forms, act(LetterPath, id, "dismiss", "console.dismiss"))
	return &panel.Page{Active: panel.Letters, Heading: letterName(l), Subject: l.Recipient, Sections: []panel.Section{{Facts: letterFacts(l)}, actions}}
}

func letterFacts(l *proof.Undelivered) []panel.Fact {
	why := panel.Key("console.letter_expired", panel.Warn)
	if l.Refused {
		why = panel.Key("console.letter_refused", panel.Bad)
	}
	return []panel.Fact{
		{Name: "console.user", Value: userOf(l)},
		{Name: "console.recipient", Value: panel.Text(l.Recipient)},
		{Name: "console.queued", Value: panel.At(l.QueuedAt)},
		{Name: "console.abandoned_at", Value: panel.At(l.AbandonedAt)},
		{Name: "console.attempts", Value: count(int64(l.Attempts))},
		{Name: "console.state", Value: why},
		{Name: "console.last_error", Value: panel.Text(l.LastError)},
		{Name: "console.kept_until", Value: panel.At(l.ExpiresAt)},
	}
}

// letterHint returns the text that says what happens when a letter is sent again, or why it can't be.
func letterHint(l *proof.Undelivered) string {
	again := l.CanSendAgain()
	switch name := mail.Name(l.Name); name {
	case mail.Reset, mail.FirstPassword, mail.Verify:
		if again {
			return "console.letter_hint.link"
		}
		if name == mail.Verify {
			return "console.letter_hint.person"
		}
		return "console.letter_hint.no_address"
	case mail.Invitation:
		return "console.letter_hint.invitation"
	case mail.SignUp:
		return "console.letter_hint.sign_up"
	}
	if again {
		return "console.letter_hint.notice"
	}
	return "console.letter_hint.nothing"
}

// changeLetter sends a letter again, or dismisses it. A letter that is gone was dealt with by another operator.
func (h *Handlers) changeLetter(ctx context.Context, form url.Values) (*panel.Page, string, error) {
	l, err := h.letter(ctx, form.Get("id"))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, LettersPath, nil
	}
	if err != nil {
		return nil, "", err
	}
	switch form.Get("do") {
	case "again":
		return h.sendAgain(ctx, l)
	case "dismiss":
		if err := h.Letters.Dismiss(ctx, l); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return nil, "", err
		}
		return nil, address(LettersPath, "done", "dismissed"), nil
	}
	return nil, "", malformed()
}

// sendAgain sends a letter again. If it can't be sent, the page of the letter says why.
func (h *Handlers) sendAgain(ctx context.Context, l *proof.Undelivered) (*panel.Page, string, error) {
	err := h.Letters.SendAgain(ctx, l)
	page := letterPage(l)
	var throttled *users.ThrottledError
	switch {
	case errors.As(err, &throttled):
		page.Problem, page.Detail = "console.letter_throttled", fmt.Sprint(max(1, int(throttled.RetryAfter.Minutes())), " min")
	case errors.Is(err, proof.ErrGone):
		page.Problem = "console.letter_gone"
	case errors.Is(err, proof.ErrNotAgain), errors.Is(err, proof.ErrNoAddress):
		page.Problem = "console.letter_not_again"
	default:
		return nil, address(LettersPath, "done", "letter"), err
	}
	return page, "", nil
}
