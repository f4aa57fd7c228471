package server

import (
	"fmt"

	"latchkey/server/internal/outbox"
	"latchkey/server/mail"
)

// Mail configures how letters are sent.
type Mail struct {
	// Transport delivers letters; nil turns off all that needs them.
	Transport mail.Transport
	// From is the sender's address, Templates the operator's folder of templates, or empty.
	From, Templates string
}

// letters makes what writes letters and what sends them; nothing without a transport.
func (s *Server) letters() error {
	if s.cfg.Mail.Transport == nil {
		return nil
	}
	var err error
	s.mailer, err = mail.New(mail.Config{
		Transport: s.cfg.Mail.Transport, From: s.cfg.Mail.From, Dir: s.cfg.Mail.Templates, Product: s.pages.ProductName(), Issuer: s.cfg.Issuer,
		Keys: s.cfg.Root.Derive("letters"), Now: s.cfg.Now,
	})
	if err != nil {
		return fmt.Errorf("letters: %w", err)
	}
	s.post = s.outbox(mail.Kind, s.mailer.Send)
	return nil
}

// outbox returns what sends the messages of a kind.
func (s *Server) outbox(kind string, send outbox.Send) *outbox.Sender {
	return outbox.NewSender(outbox.Sending{
		Kind: kind, Store: s.cfg.Store, Send: send, Now: s.cfg.Now, Logger: s.cfg.Logger, Metrics: s.metrics,
		Paused: func() bool { return s.clock.err() != nil },
	})
}
