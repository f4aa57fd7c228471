package console

import (
	"context"
	"net/url"

	"latchkey/server/proof"
	"latchkey/server/web/panel"
	"latchkey/storage"
)

const lettersPerPage = 50

// listLetters shows how many letters wait to be sent, and those that could not be delivered, the latest first.
func (h *Handlers) listLetters(ctx context.Context, query url.Values) (*panel.Page, error) {
	page := &panel.Page{Active: panel.Letters, Heading: "console.nav.letters"}
	if h.Letters == nil {
		off := panel.Fact{Name: "console.mail", Value: panel.Key("console.mail_off", panel.Plain)}
		page.Sections = []panel.Section{{Facts: []panel.Fact{off}}}
		return page, nil
	}
	before, err := idOf(query.Get("before"))
	if err != nil {
		return nil, err
	}
	letters, err := h.Letters.UndeliveredLetters(ctx, storage.UndeliveredLetterFilter{Before: before, Limit: lettersPerPage})
	if err != nil {
		return nil, err
	}
	page.Sections = []panel.Section{{Facts: h.Waiting(ctx)}, letterRows(letters)}
	if len(letters) == lettersPerPage {
		page.Next = address(LettersPath, "before", letters[len(letters)-1].ID.String())
	}
	return page, nil
}

// lettersOf returns a section with the letters to a user that could not be delivered, and none without such.
func (h *Handlers) lettersOf(ctx context.Context, u *storage.User) ([]panel.Section, error) {
	if h.Letters == nil {
		return nil, nil
	}
	letters, err := h.Letters.UndeliveredLetters(ctx, storage.UndeliveredLetterFilter{UserID: u.ID, Limit: lettersPerPage})
	if err != nil || len(letters) == 0 {
		return nil, err
	}
	return []panel.Section{letterRows(letters)}, nil
}

func letterRows(letters []*proof.Undelivered) panel.Section {
	s := panel.Section{Heading: "console.undelivered", Text: "console.undelivered_note", Empty: "console.none", Columns: []string{
		"console.letter", "console.abandoned_at", "console.user", "console.recipient", "console.reason",
	}}
	for _, l := range letters {
		s.Rows = append(s.Rows, []panel.Cell{
			{Key: letterName(l), Link: address(LetterPath, "id", l.ID.String())}, panel.At(l.AbandonedAt), userOf(l), panel.Text(l.Recipient), panel.Text(l.LastError),
		})
	}
	return s
}

// letterName returns the key of a letter's name.
func letterName(l *proof.Undelivered) string {
	if l.Name == "" {
		return "console.letter.unreadable"
	}
	return "console.letter." + l.Name
}

func userOf(l *proof.Undelivered) panel.Cell {
	if l.User == nil {
		return panel.Cell{}
	}
	return panel.Link(l.User.Username, userPath(l.UserID))
}
