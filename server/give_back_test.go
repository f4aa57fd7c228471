package server_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// fullDisk is a store that can change rows, but add none.
type fullDisk struct {
	storage.Store
	full atomic.Bool
}

func (d *fullDisk) err() error {
	if d.full.Load() {
		return fmt.Errorf("could not extend file: No space left on device: %w", storage.ErrUnavailable)
	}
	return nil
}

func (d *fullDisk) CreateGrant(ctx context.Context, g *storage.Grant, l *storage.Login, audit ...*storage.AuditEvent) error {
	if err := d.err(); err != nil {
		return err
	}
	return d.Store.CreateGrant(ctx, g, l, audit...)
}

func (d *fullDisk) CreateBrowserSession(ctx context.Context, b *storage.BrowserSession, replaces storage.Digest, l *storage.Login, audit ...*storage.AuditEvent) error {
	if err := d.err(); err != nil {
		return err
	}
	return d.Store.CreateBrowserSession(ctx, b, replaces, l, audit...)
}

func (d *fullDisk) SetUserPassword(ctx context.Context, c storage.PasswordChange, audit *storage.AuditEvent) error {
	if err := d.err(); err != nil {
		return err
	}
	return d.Store.SetUserPassword(ctx, c, audit)
}

func (d *fullDisk) CreateRegisteredClient(ctx context.Context, c *storage.Client, most int, audit *storage.AuditEvent) (*storage.Client, error) {
	if err := d.err(); err != nil {
		return nil, err
	}
	return d.Store.CreateRegisteredClient(ctx, c, most, audit)
}

func (d *fullDisk) CreatePushedRequest(ctx context.Context, p *storage.PushedRequest) error {
	if err := d.err(); err != nil {
		return err
	}
	return d.Store.CreatePushedRequest(ctx, p)
}

// F5: who retries a 503 as told is served when the database works again: an attempt that failed for another reason than the
// caller's costs nothing, on every route with a limit.
func TestF5WhatFailedGivesItsAttemptBack(t *testing.T) {
	t.Parallel()
	const more = 110 // than any bucket of these holds
	for name, prepare := range map[string]func(s *servertest.Server) func() int{
		"simplejwt": func(s *servertest.Server) func() int {
			return func() int {
				return s.PostJSON("/api/token/", map[string]string{"username": servertest.Username, "password": servertest.Password}).Status
			}
		},
		"sliding": func(s *servertest.Server) func() int {
			return func() int {
				return s.PostJSON("/api/token/sliding/", map[string]string{"username": servertest.Username, "password": servertest.Password}).Status
			}
		},
		"password grant": func(s *servertest.Server) func() int {
			return func() int {
				return s.Token(s.SPA, "grant_type", "password", "username", servertest.Username, "password", servertest.Password).Status
			}
		},
		"login page": func(s *servertest.Server) func() int {
			return func() int { return s.Browser().SignIn().Status }
		},
		"new password": func(s *servertest.Server) func() int {
			b := s.Browser()
			b.SignIn()
			form := b.Get("/account").Form("/account/password")
			return func() int {
				const next = "another long password"
				return form.Set("current_password", servertest.Password, "new_password", next, "new_password_again", next).Submit().Status
			}
		},
		"registration": func(s *servertest.Server) func() int {
			return func() int {
				return s.PostJSON("/oauth2/register", map[string]any{"redirect_uris": []string{"https://client.example/cb"}}).Status
			}
		},
		"pushed request": func(s *servertest.Server) func() int {
			return func() int {
				return s.PostAs(s.Portal, "/oauth2/par", "response_type", "code", "redirect_uri", s.Portal.Redirect,
					"code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method", "S256").Status
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := &fullDisk{Store: sqlitetest.SQLite(t)}
			s := servertest.New(t, servertest.Store(disk), servertest.Configure(func(c *server.Config) {
				c.SimpleJWT.Sliding, c.SimpleJWT.SlidingTokenLifetime, c.SimpleJWT.SlidingTokenRefreshLifetime = true, c.AccessTokenTTL, c.RefreshTokenTTL
				c.Registration = "open"
			}))
			try := prepare(s)
			disk.full.Store(true)
			for i := range more {
				if status := try(); status != 503 {
					t.Fatalf("attempt %d with a full disk: %d", i+1, status)
				}
			}
			disk.full.Store(false)
			if status := try(); status >= 400 {
				t.Errorf("once there is room: %d", status)
			}
		})
	}
}

// F5: a change of the password counts as no failed attempt.
func TestF5NewPasswordsCostNoAttempts(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	b := s.Browser()
	b.SignIn()
	current := servertest.Password
	for i := range 25 { // an account from one address has 20 attempts
		next := fmt.Sprintf("another long password %d", i)
		page := b.Get("/account").Form("/account/password").
			Set("current_password", current, "new_password", next, "new_password_again", next).Submit()
		if page.Status != 200 {
			t.Fatalf("change %d: %d", i+1, page.Status)
		}
		current = next
	}
}
