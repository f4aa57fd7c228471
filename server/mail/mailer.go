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

// Transport delivers letters. An error that wraps outbox.ErrRefused is final.
type Transport interface {
	Deliver(ctx context.Context, p *Post) error
}

// Store is what a Mailer uses of storage.Store.
type Store interface {
	AbandonLetter(ctx context.Context, messageID storage.ID, l *storage.UndeliveredLetter) error
	CountUndeliveredLetters(ctx context.Context, since time.Time, limit int) (int, error)
}

// Config configures a Mailer.
type Config struct {
	Store     Store
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
	l, err := m.read(message)
	if err != nil {
		// Its root secret is gone: no attempt can read it.
		return nil, fmt.Errorf("read letter: %w: %w", outbox.ErrRefused, err)
	}
	p, err := m.write(l)
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

// read returns the letter of a row of the outbox.
func (m *Mailer) read(message *storage.OutboxMessage) (*Letter, error) {
	plain, err := m.seal.Open(message.Payload, sealed)
	if err != nil {
		return nil, err
	}
	var l Letter
	return &l, json.Unmarshal(plain, &l)
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
		Minutes: minutes, Hours: minutes / 60, Days: minutes / (24 * 60), When: stamp(l.At), ByOperator: l.ByOperator, Passkey: l.Passkey,
	})
	return p, err
}

// stamp returns a time as letters in every language show it; nothing for none.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02 15:04 UTC")
}
