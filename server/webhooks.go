package server

import (
	"context"
	"fmt"

	"latchkey/server/internal/audit"
	"latchkey/server/internal/safehttp"
	"latchkey/server/webhooks"
)

// deliveries makes what delivers events to the targets of operators.
func (s *Server) deliveries() (err error) {
	o := outboundConfig(&s.cfg)
	o.Timeout = webhooks.Timeout * 10 / 9                      // of which the client uses nine tenths
	o.MaxConcurrent = webhooks.MaxTargets * webhooks.PerTarget // no target waits for the slots of another one
	s.webhooks, err = webhooks.New(webhooks.Config{
		Store: s.cfg.Store, HTTP: safehttp.New(o), Keys: s.cfg.Root.Derive("webhooks"), Audit: s.audit, Now: s.cfg.Now,
		Logger: s.cfg.Logger, Metrics: s.metrics, Paused: func() bool { return s.clock.err() != nil },
	})
	return err
}

// NewWebhooks returns the service of a command, which manages targets in the database without delivering anything but tests.
func NewWebhooks(cfg Config) (*webhooks.Service, error) {
	s := &Server{cfg: cfg, audit: &audit.Log{Store: cfg.Store, Now: cfg.Now}}
	if err := s.deliveries(); err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return s.webhooks, nil
}

// Webhooks manages the targets of events.
func (s *Server) Webhooks() *webhooks.Service { return s.webhooks }

// DeliverWebhooks delivers what is due to targets and waits for it. It is for tests and for programs that do not call Run.
func (s *Server) DeliverWebhooks(ctx context.Context) error { return s.webhooks.Deliver(ctx) }
