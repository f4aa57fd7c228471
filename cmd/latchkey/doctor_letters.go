package main

import (
	"context"
	"fmt"
	"time"

	"latchkey/storage"
)

// letters says how many letters of the last day could not be delivered, and why the last one could not. Nothing is said if there are none.
func (e *examination) letters(ctx context.Context, store *opened) {
	const check, most = "mail", 1000
	n, err := store.CountUndeliveredLetters(ctx, e.app.now().Add(-24*time.Hour), most)
	var last []*storage.UndeliveredLetter
	if err == nil && n > 0 {
		last, err = store.ListUndeliveredLetters(ctx, storage.UndeliveredLetterFilter{Limit: 1})
	}
	if err != nil {
		e.wrong(check, oneLine(err), "Allow this user to read every table.")
		return
	}
	if len(last) == 0 {
		return
	}
	number, reason := fmt.Sprint(n), last[0].LastError
	if n == most {
		number = fmt.Sprintf("at least %d", n)
	}
	if reason == "" {
		reason = "its time was over"
	}
	e.warn(check, fmt.Sprintf("letters of the last day that could not be delivered: %s, the last one at %s: %s", number, when(last[0].AbandonedAt), printable(reason)),
		"See them with `latchkey letter list`, or on the page E-mails of the console (docs/console.md): both can send them again.")
}
