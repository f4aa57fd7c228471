package console

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"latchkey/server/mail"
	"latchkey/server/proof"
	"latchkey/storage"
)

// lettersOf has one letter, which can't be sent again.
type lettersOf struct {
	Letters
	refuses error
}

func (lettersOf) Undelivered(_ context.Context, id storage.ID) (*proof.Undelivered, error) {
	return &proof.Undelivered{UndeliveredLetter: &storage.UndeliveredLetter{ID: id, Name: string(mail.Reset)}}, nil
}

func (l lettersOf) SendAgain(context.Context, *proof.Undelivered) error { return l.refuses }

// The page of a letter that can't be sent again says so; what is no such refusal is an error.
func TestWhyALetterIsNotSentAgain(t *testing.T) {
	t.Parallel()
	form := url.Values{"id": {"01900000-0000-7000-8000-000000000001"}, "do": {"again"}}
	for refuses, says := range map[error]string{
		proof.ErrNotAgain:      "console.letter_not_again",
		proof.ErrNoAddress:     "console.letter_not_again",
		proof.ErrGone:          "console.letter_gone",
		storage.ErrUnavailable: "",
	} {
		page, _, err := New(Config{Letters: lettersOf{refuses: refuses}}).changeLetter(t.Context(), form)
		switch {
		case says == "" && !errors.Is(err, refuses):
			t.Errorf("%v: %v", refuses, err)
		case says != "" && (err != nil || page == nil || page.Problem != says):
			t.Errorf("%v: %v, %v", refuses, page, err)
		}
	}
}
