package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"latchkey/server/internal/outbox"
	"latchkey/server/mail"
	"latchkey/storage"
)

// lost returns the only letter that was abandoned.
func (b *bundle) lost() *storage.UndeliveredLetter {
	b.Helper()
	list, err := b.store.ListUndeliveredLetters(b.Context(), storage.UndeliveredLetterFilter{})
	if err != nil || len(list) != 1 {
		b.Fatalf("%d letters were abandoned, %v; want 1: %s", len(list), err, b.log.String())
	}
	return list[0]
}

// What a letter said is erased with its link and its code; whom it was for, and why it did not arrive, is kept.
func TestARefusedLetterIsKeptWithoutWhatItSaid(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, false)
	b := setup(t, box, "smtp://"+box.address+"?tls=off")
	ann := &storage.User{Username: "ann", Active: true, CreatedAt: b.clock.Now()}
	if err := b.store.CreateUser(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	box.refuse = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no mailbox ann@example.org"}
	request := storage.NewID(b.clock.Now())
	b.send(mail.Letter{
		Name: mail.Reset, To: "ann@example.org", Lang: "de", UserID: ann.ID, RequestID: request, Link: "https://id.example/reset?token=s3cret", Code: "12345678",
		Until: b.clock.Now().Add(30 * time.Minute),
	})
	l, now := b.lost(), b.clock.Now()
	want := &storage.UndeliveredLetter{
		ID: l.ID, Name: "reset", UserID: ann.ID, RequestID: request, Recipient: "ann@example.org", Lang: "de", QueuedAt: now, Attempts: 1, Refused: true,
		LastError: l.LastError, AbandonedAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour),
	}
	if diff := cmp.Diff(want, l); diff != "" || !strings.Contains(l.LastError, "550 5.1.1") || strings.Contains(l.LastError, "ann@") {
		t.Errorf("-want +kept %s", diff)
	}
	if text := fmt.Sprint(*l); strings.Contains(text, "s3cret") || strings.Contains(text, "12345678") {
		t.Errorf("what proves possession is kept: %s", text)
	}
	if n, err := b.mailer.CountUndelivered(t.Context()); n != 1 || err != nil {
		t.Errorf("%d are counted: %v", n, err)
	}
}

func TestALetterWhoseTimeIsOverIsKept(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, false)
	b := setup(t, box, "smtp://"+box.address+"?tls=off")
	box.refuse = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "greylisted"}
	b.send(mail.Letter{Name: mail.FactorAdded, To: "ann@example.org", Until: b.clock.Now().Add(time.Second), Facts: mail.Facts{Passkey: true}})
	if l := b.lost(); string(l.Details) != `{"passkey":true}` || l.Refused || l.UserID != 0 || l.Attempts != 1 || !strings.Contains(l.LastError, "451") {
		t.Errorf("kept %+v", l)
	}
}

// A letter that was sealed with a secret that is gone can't be read: that is all that can be said of it.
func TestALetterThatCantBeReadIsKeptWithoutARecipient(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, false)
	// In this order: the letter must be due by the clock of b.
	other := setup(t, box, "smtp://"+box.address+"?tls=off", func(c *mail.Config) { c.Keys = [][]byte{bytes.Repeat([]byte{2}, 32)} })
	b := setup(t, box, "smtp://"+box.address+"?tls=off")
	message, err := other.mailer.Message(mail.Letter{Name: mail.Reset, To: "ann@example.org"})
	if err == nil {
		err = b.store.CreateOutboxMessages(t.Context(), message)
	}
	if err == nil {
		err = b.sender.Flush(t.Context())
	}
	if l := b.lost(); err != nil || l.Name != "" || l.Recipient != "" || !l.Refused || !strings.Contains(l.LastError, "read letter") {
		t.Errorf("kept %+v, %v", l, err)
	}
}

// transport refuses letters with an error of its own.
type transport struct{ err error }

func (t transport) Deliver(context.Context, *mail.Post) error { return t.err }

// Errors may quote the recipient or the letter, and may be of any length.
func TestTheReasonIsShortAndQuotesNothingOfTheLetter(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, false)
	const link = "https://id.example/reset?token=s3cret"
	b := setup(t, box, "smtp://"+box.address, func(c *mail.Config) {
		c.Transport = transport{fmt.Errorf("%w: <ann@example.org>\r\n%s 1234 5678 %s", outbox.ErrRefused, link, errors.New(strings.Repeat("ü", 1000)))}
	})
	b.send(mail.Letter{Name: mail.Verify, To: "ann@example.org", Link: link, Code: "1234 5678"})
	l := b.lost()
	for _, private := range []string{"ann@", "s3cret", "1234", "\n"} {
		if strings.Contains(l.LastError, private) {
			t.Errorf("the reason has %q: %s", private, l.LastError)
		}
	}
	if n := len([]rune(l.LastError)); n != 300 || !strings.HasPrefix(l.LastError, "send letter verify: refused for good: <…>") {
		t.Errorf("%d characters: %s", n, l.LastError)
	}
}
