package mail

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/server/internal/outbox"
	"latchkey/server/internal/seal"
	"latchkey/storage"
)

// Kind is that of letters in the outbox.
const Kind = "mail"

// sealed is the purpose of the seal.
const sealed = "mail"

// DefaultGiveUp is how long a letter without a link is tried. One with a link is dropped when the link ends.
const DefaultGiveUp = 24 * time.Hour

// Name is a letter's template.
type Name string

// The letters.
const (
	Reset           Name = "reset"            // a link to choose a new password
	FirstPassword   Name = "first_password"   // a link to choose a password where there is none
	PasswordChanged Name = "password_changed" // a password was changed by a link
	Verify          Name = "verify"           // a link and a code that prove an address
	AddressChanging Name = "address_changing" // to the old address: another one is to be proved
	AddressChanged  Name = "address_changed"  // to the old address: another one is the user's now
	SignUp          Name = "sign_up"          // a link and a code to go on with a sign-up
	HasAccount      Name = "has_account"      // somebody wanted to sign up with an address that has an account
	Invitation      Name = "invitation"       // a link from the operator
	AccountRemoved  Name = "account_removed"  // the user has removed the account
)

// Names returns all letters.
func Names() []Name {
	return []Name{Reset, FirstPassword, PasswordChanged, Verify, AddressChanging, AddressChanged, SignUp, HasAccount, Invitation, AccountRemoved}
}

// Letter is what is to be written.
type Letter struct {
	Name Name   `json:"name"`
	To   string `json:"to"`
	// Lang are the wanted languages, as in Accept-Language.
	Lang     string `json:"lang,omitempty"`
	Username string `json:"username,omitempty"`
	// Link and Code prove possession of the mailbox until Until.
	Link  string    `json:"link,omitempty"`
	Code  string    `json:"code,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Post is a letter as it is sent.
type Post struct {
	// ID is unique, without the brackets of a Message-ID.
	ID            string
	From          mail.Address
	To            string
	Lang          string
	Subject, Text string
	HTML          string
	At            time.Time
}

// Transport delivers letters. An error that wraps outbox.ErrRefused is final.
type Transport interface {
	Deliver(ctx context.Context, p *Post) error
}

// Config configures a Mailer.
type Config struct {
	Transport Transport
	// From is the sender's address, with a name or without.
	From string
	// Dir is the operator's folder with templates in place of the built-in ones, or empty.
	Dir string
	// Product is the name of this service, Issuer its URL.
	Product, Issuer string
	// Keys seal what is in the outbox: the first seals, all open.
	Keys [][]byte
	Now  func() time.Time
}

// Mailer writes letters.
type Mailer struct {
	cfg       Config
	from      mail.Address
	seal      *seal.Sealer
	templates *templates
}

// New returns a Mailer. It fails for a sender that is no address, and for templates that can't be used.
func New(cfg Config) (*Mailer, error) {
	from, err := mail.ParseAddress(cfg.From)
	if err != nil {
		return nil, fmt.Errorf("--mail-from %q is not an address: write it like \"Example <no-reply@example.com>\"", cfg.From)
	}
	m := &Mailer{cfg: cfg, from: *from}
	if m.seal, err = seal.New(cfg.Keys); err != nil {
		return nil, fmt.Errorf("seal letters: %w", err)
	}
	m.templates, err = load(cfg.Dir)
	return m, err
}

// Message returns the row of the outbox for a letter. Under one key one letter is sent; empty parts make it unique.
func (m *Mailer) Message(l Letter, key ...string) (*storage.OutboxMessage, error) {
	plain, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("queue letter: %w", err)
	}
	now, giveUp := m.cfg.Now(), DefaultGiveUp
	if !l.Until.IsZero() {
		giveUp = min(giveUp, l.Until.Sub(now))
	}
	message := outbox.Message(Kind, storage.Digest{}, m.seal.Seal(nil, sealed, plain), now, giveUp)
	if len(key) == 0 {
		key = []string{message.ID.String()}
	}
	message.Key = sha256.Sum256([]byte(string(l.Name) + "\x00" + strings.Join(key, "\x00")))
	return message, nil
}

// Send makes one attempt to send a letter of the outbox. It is an outbox.Send.
func (m *Mailer) Send(ctx context.Context, message *storage.OutboxMessage) ([]*storage.OutboxMessage, error) {
	plain, err := m.seal.Open(message.Payload, sealed)
	var l Letter
	if err == nil {
		err = json.Unmarshal(plain, &l)
	}
	if err != nil {
		// Its root secret is gone: no attempt can read it.
		return nil, fmt.Errorf("read letter: %w: %w", outbox.ErrRefused, err)
	}
	p, err := m.write(&l)
	if err != nil {
		return nil, fmt.Errorf("write letter %s: %w: %w", l.Name, outbox.ErrRefused, err)
	}
	_, domain, _ := strings.Cut(m.from.Address, "@")
	p.ID, p.At = message.ID.String()+"@"+domain, m.cfg.Now()
	if err := m.cfg.Transport.Deliver(ctx, p); err != nil {
		return nil, fmt.Errorf("send letter %s: %w", l.Name, err)
	}
	return nil, nil
}

// write returns a letter as it is sent.
func (m *Mailer) write(l *Letter) (*Post, error) {
	if !IsAddress(l.To) {
		return nil, errors.New("the recipient is not an address")
	}
	p := &Post{From: m.from, To: l.To}
	minutes := 0
	if !l.Until.IsZero() {
		minutes = max(1, int(l.Until.Sub(m.cfg.Now()).Round(time.Minute)/time.Minute))
	}
	err := m.templates.write(p, l, view{
		Product: clean(m.cfg.Product), Issuer: m.cfg.Issuer, Username: clean(l.Username), To: l.To, Link: l.Link, Code: l.Code,
		Minutes: minutes, Hours: minutes / 60, Days: minutes / (24 * 60),
	})
	return p, err
}

// maxAddress is that of a path without its brackets (RFC 5321 §4.5.3.1.3).
const maxAddress = 254

// IsAddress reports whether a text is one e-mail address as people have them: nothing else than local@domain, without quotes, comments
// and control characters, so that it can't be anything but one recipient in a header or in an SMTP command.
func IsAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || len(text) > maxAddress || !utf8.ValidString(text) {
		return false
	}
	local, domain, _ := strings.Cut(text, "@")
	odd := func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`"(),:;<>@[\]`, r) || !isPrint(r)
	}
	return len(local) <= 64 && strings.Contains(domain, ".") && !strings.ContainsFunc(local, odd) && !strings.ContainsFunc(domain, odd)
}
