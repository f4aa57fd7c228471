package personal

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"latchkey/admin"
	"latchkey/server/claims"
	"latchkey/server/factors"
	"latchkey/server/grants"
	"latchkey/server/trail"
	"latchkey/server/users"
	"latchkey/storage"
)

// Data is everything that is stored about a user.
type Data struct {
	ExportedAt time.Time `json:"exported_at"`
	Profile    profile   `json:"profile"`
	// Provisioned is what directories have said of the user by SCIM and the profile has no field for: a JSON object.
	Provisioned json.RawMessage `json:"provisioned,omitempty"`
	// Sessions are what clients hold for the user, those that have ended too, as long as they are kept.
	Sessions []admin.Session `json:"sessions"`
	Devices  []device        `json:"devices"`
	// Factors are second factors and remembered browsers, RecoveryCodes how many codes are left.
	admin.Factors
	Consents    []consent          `json:"consents"`
	AuditEvents []admin.AuditEvent `json:"audit_events"`
}

type profile struct {
	admin.User
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
	ACR        string    `json:"acr,omitempty"`
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

// Store is what an export reads.
type Store interface {
	trail.Store
	ProvisionedUsers(ctx context.Context, clientID string, users []int64) ([]*storage.ProvisionedUser, error)
	ListGrants(ctx context.Context, f storage.GrantFilter) ([]*storage.LiveGrant, error)
	ListConsents(ctx context.Context, userID int64, limit int) ([]*storage.Consent, error)
	ListBrowserSessions(ctx context.Context, userID int64, now time.Time, limit int) ([]*storage.BrowserSession, error)
}

// Exporter reads what is stored about users.
type Exporter struct {
	Store   Store
	Factors *factors.Service
	// IdleTTL returns how long a session of a client lasts without use.
	IdleTTL func(ctx context.Context, clientID string) (time.Duration, error)
	Now     func() time.Time
}

// maxRows bounds the lists that storage does not page: no user has so many browsers or applications.
const maxRows = 100_000

// Export returns what is stored about a user.
func (e *Exporter) Export(ctx context.Context, u *storage.User) (*Data, error) {
	now := e.Now()
	out := &Data{ExportedAt: now, Profile: profile{users.Describe(u), u.PasswordHash != ""}}
	var err error
	for _, part := range []func(){
		func() { out.Provisioned, err = e.provisioned(ctx, u) },
		func() { out.Sessions, err = e.sessions(ctx, u, now) },
		func() { out.Devices, err = e.devices(ctx, u, now) },
		func() { out.Factors, err = e.factors(ctx, u) },
		func() { out.Consents, err = e.consents(ctx, u) },
		func() { out.AuditEvents, err = e.events(ctx, u) },
	} {
		if part(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (e *Exporter) provisioned(ctx context.Context, u *storage.User) (json.RawMessage, error) {
	list, err := e.Store.ProvisionedUsers(ctx, "", []int64{u.ID})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0].Attributes, nil
}

func (e *Exporter) sessions(ctx context.Context, u *storage.User, now time.Time) ([]admin.Session, error) {
	filter := storage.GrantFilter{UserID: u.ID, Limit: storage.PageSize}
	pages := storage.Pages(func(g *storage.LiveGrant) storage.ID { return g.ID }, func(after storage.ID) ([]*storage.LiveGrant, error) {
		filter.After = after
		return e.Store.ListGrants(ctx, filter)
	})
	return described(pages, func(g *storage.LiveGrant) (admin.Session, error) {
		ttl, err := e.IdleTTL(ctx, g.ClientID)
		return grants.Describe(g, ttl, now), err
	})
}

// described returns all rows as they are shown.
func described[T, V any](rows iter.Seq2[T, error], view func(T) (V, error)) ([]V, error) {
	list := []V{}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		v, err := view(row)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (e *Exporter) devices(ctx context.Context, u *storage.User, now time.Time) ([]device, error) {
	sessions, err := e.Store.ListBrowserSessions(ctx, u.ID, now, maxRows)
	list := []device{}
	for _, s := range sessions {
		list = append(list, device{
			ID: s.ID.String(), SignedInAt: s.AuthTime, LastSeenAt: s.LastSeenAt, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt,
			Remember: s.Remember, Methods: append([]string{}, s.AMR...), ACR: claims.ACR(s.AMR), Address: s.Address, UserAgent: s.UserAgent,
		})
	}
	return list, err
}

func (e *Exporter) factors(ctx context.Context, u *storage.User) (admin.Factors, error) {
	set, err := e.Factors.Of(ctx, u)
	if err != nil {
		return admin.Factors{}, err
	}
	return set.Describe(), nil
}

func (e *Exporter) consents(ctx context.Context, u *storage.User) ([]consent, error) {
	consents, err := e.Store.ListConsents(ctx, u.ID, maxRows)
	list := []consent{}
	for _, c := range consents {
		list = append(list, consent{
			ClientID: c.ClientID, Scope: append([]string{}, c.Scope...), Audience: append([]string{}, c.Audience...), AllowedAt: c.At,
			CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
		})
	}
	return list, err
}

func (e *Exporter) events(ctx context.Context, u *storage.User) ([]admin.AuditEvent, error) {
	filter := storage.AuditFilter{UserID: u.ID, Limit: storage.PageSize}
	reader := trail.NewReader(e.Store, u)
	pages := storage.Pages(func(ev *storage.AuditEvent) storage.ID { return ev.ID }, func(before storage.ID) ([]*storage.AuditEvent, error) {
		filter.Before = before
		return e.Store.ListAudit(ctx, filter)
	})
	return described(pages, func(ev *storage.AuditEvent) (admin.AuditEvent, error) { return reader.Describe(ctx, ev) })
}
