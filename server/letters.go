package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/server/internal/alert"
	"latchkey/server/internal/outbox"
	"latchkey/server/mail"
	"latchkey/server/proof"
	"latchkey/server/selfhelp"
	"latchkey/storage"
)

// letters makes what writes letters, what sends them, and what checks what they bring. Without a transport there are invitations only;
// nothing of it where the accounts are elsewhere.
func (s *Server) letters() (err error) {
	if s.cfg.Directory != nil {
		return nil
	}
	keys := s.cfg.Root.Derive("letters")
	if s.cfg.Mail.Transport != nil {
		s.mailer, err = mail.New(mail.Config{
			Transport: s.cfg.Mail.Transport, From: s.cfg.Mail.From, Dir: s.cfg.Mail.Templates, Product: s.pages.ProductName(), Issuer: s.cfg.Issuer,
			Keys: keys, Now: s.cfg.Now, Store: s.cfg.Store,
		})
		if err != nil {
			return fmt.Errorf("letters: %w", err)
		}
	}
	wake := func(sender **outbox.Sender) func() {
		return func() {
			if *sender != nil {
				(*sender).Wake()
			}
		}
	}
	s.proof, err = proof.New(proof.Config{
		Store: s.cfg.Store, Users: s.users, Audit: s.audit, Mailer: s.mailer, Keys: s.cfg.Root.Derive("account links"), Issuer: s.cfg.Issuer, Now: s.cfg.Now,
		Requested: wake(&s.requested), Written: wake(&s.post),
	})
	if err != nil || s.mailer == nil {
		return err
	}
	s.post = s.outbox(mail.Kind, s.mailer.Send, s.mailer)
	s.requested = s.outbox(proof.Kind, s.proof.Send, nil)
	s.alerts = s.outbox(alert.Kind, s.proof.Alert, nil)
	return nil
}

// outbox returns what sends the messages of a kind, and keeps those that were abandoned, unless undelivered is nil.
func (s *Server) outbox(kind string, send outbox.Send, undelivered outbox.Undelivered) *outbox.Sender {
	return outbox.NewSender(outbox.Sending{
		Kind: kind, Store: s.cfg.Store, Send: send, Now: s.cfg.Now, Logger: s.cfg.Logger, Metrics: s.metrics,
		Undelivered: undelivered, Paused: func() bool { return s.clock.err() != nil },
	})
}

// Proof makes invitations and checks what letters bring; nil where the accounts are elsewhere.
func (s *Server) Proof() *proof.Service { return s.proof }

// SendsLetters reports whether users can get letters: there is mail, and the accounts are here.
func (s *Server) SendsLetters() bool { return s.cfg.sendsLetters() }

func (c *Config) sendsLetters() bool { return c.Mail.Transport != nil && c.Directory == nil }

// signUp returns who may sign up.
func (s *Server) signUp() selfhelp.SignUp {
	return cmp.Or(s.cfg.SignUp, selfhelp.SignUpOff)
}

// SendLetters makes and sends the letters that are due and waits for it. It is for tests and for programs that do not call Run.
func (s *Server) SendLetters(ctx context.Context) error {
	if s.mailer == nil {
		return nil
	}
	return errors.Join(s.requested.Flush(ctx), s.alerts.Flush(ctx), s.post.Flush(ctx))
}

// idleTTL returns how long a session of a client lasts without use.
func (s *Server) idleTTL(ctx context.Context, clientID string) (time.Duration, error) {
	c, err := s.registry.Client(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return s.cfg.RefreshTokenIdleTTL, nil
	}
	if err != nil {
		return 0, err
	}
	return s.tokens.PolicyOf(c).Idle, nil
}
