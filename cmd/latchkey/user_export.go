package main

import (
	"context"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/admin"
	"latchkey/server/grants"
	"latchkey/server/trail"
	"latchkey/server/users"
	"latchkey/storage"
)

type userExportCmd struct {
	userName
	Options kong.Plugins `embed:"" options:"remote,database,lifetimes,simplejwt,log"`
}

// personal is everything that is stored about a user, without anything that could be used in their place: no hash, no token, no cookie.
type personal struct {
	ExportedAt time.Time `json:"exported_at"`
	Profile    profile   `json:"profile"`
	// Sessions are what clients hold for the user, those that have ended too, as long as they are kept.
	Sessions    []admin.Session    `json:"sessions"`
	Devices     []device           `json:"devices"`
	Consents    []consent          `json:"consents"`
	AuditEvents []admin.AuditEvent `json:"audit_events"`
}

type profile struct {
	users.Info
	HasPassword bool `json:"has_password"`
}

// device is a browser in which the user is signed in.
type device struct {
	ID         string    `json:"id"`
	SignedInAt time.Time `json:"signed_in_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	Remember   bool      `json:"remember"`
	Methods    []string  `json:"methods"`
	Address    string    `json:"address"`
	UserAgent  string    `json:"user_agent"`
}

type consent struct {
	ClientID  string              `json:"client_id"`
	Scope     []string            `json:"scope"`
	Audience  []string            `json:"audience"`
	AllowedAt map[string][]string `json:"allowed_at,omitempty"` // scope by resource
	CreatedAt time.Time           `json:"created_at"`
	UpdatedAt time.Time           `json:"updated_at"`
}

// exportMax bounds the lists that storage does not page: no user has so many browsers or applications.
const exportMax = 100_000

func (c *userExportCmd) Run(ctx context.Context, a *app) error {
	var out personal
	if a.remote() {
		return errNeedsDatabase
	}
	export := func(_ userAdmin, u *storage.User) (err error) {
		now := a.now()
		out = personal{ExportedAt: now, Profile: profile{users.Describe(u), u.PasswordHash != ""}}
		for _, part := range []func() error{
			func() error { out.Sessions, err = a.sessionsOf(ctx, u, now); return err },
			func() error { out.Devices, err = a.devicesOf(ctx, u, now); return err },
			func() error { out.Consents, err = a.consentsOf(ctx, u); return err },
			func() error { out.AuditEvents, err = a.eventsOf(ctx, u); return err },
		} {
			if err := part(); err != nil {
				return err
			}
		}
		return nil
	}
	return a.withUser(ctx, c.Name, export, func(*storage.User) error { return a.printJSON(out) })
}

func (a *app) sessionsOf(ctx context.Context, u *storage.User, now time.Time) ([]admin.Session, error) {
	idle := idleTTLs{registry: a.registryOf(a.store, nil), settings: a.settings, known: map[string]time.Duration{}}
	filter := storage.GrantFilter{UserID: u.ID, Limit: pageSize}
	list := []admin.Session{}
	for g, err := range pages(
		func(g *storage.LiveGrant) storage.ID { return g.ID },
		func(after storage.ID) ([]*storage.LiveGrant, error) {
			filter.After = after
			return a.store.ListGrants(ctx, filter)
		},
	) {
		if err != nil {
			return nil, err
		}
		ttl, err := idle.of(ctx, g.ClientID)
		if err != nil {
			return nil, err
		}
		list = append(list, grants.Describe(g, ttl, now))
	}
	return list, nil
}

func (a *app) devicesOf(ctx context.Context, u *storage.User, now time.Time) ([]device, error) {
	sessions, err := a.store.ListBrowserSessions(ctx, u.ID, now, exportMax)
	list := []device{}
	for _, s := range sessions {
		list = append(list, device{
			ID: s.ID.String(), SignedInAt: s.AuthTime, LastSeenAt: s.LastSeenAt, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt,
			Remember: s.Remember, Methods: append([]string{}, s.AMR...), Address: s.Address, UserAgent: s.UserAgent,
		})
	}
	return list, err
}

func (a *app) consentsOf(ctx context.Context, u *storage.User) ([]consent, error) {
	consents, err := a.store.ListConsents(ctx, u.ID, exportMax)
	list := []consent{}
	for _, c := range consents {
		list = append(list, consent{
			ClientID: c.ClientID, Scope: append([]string{}, c.Scope...), Audience: append([]string{}, c.Audience...), AllowedAt: c.At,
			CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
		})
	}
	return list, err
}

func (a *app) eventsOf(ctx context.Context, u *storage.User) ([]admin.AuditEvent, error) {
	filter := storage.AuditFilter{UserID: u.ID, Limit: pageSize}
	reader := trail.NewReader(a.store, u)
	list := []admin.AuditEvent{}
	for e, err := range pages(
		func(e *storage.AuditEvent) storage.ID { return e.ID },
		func(before storage.ID) ([]*storage.AuditEvent, error) {
			filter.Before = before
			return a.store.ListAudit(ctx, filter)
		},
	) {
		if err != nil {
			return nil, err
		}
		shown, err := reader.Describe(ctx, e)
		if err != nil {
			return nil, err
		}
		list = append(list, shown)
	}
	return list, nil
}
