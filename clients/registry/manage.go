package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/clients"
	"latchkey/storage"
)

// ErrNoSecret reports that a client has no secret to rotate: it is public, or authenticates with its own key.
var ErrNoSecret = errors.New("the client has no secret")

// MaxKeepOld is how long the previous secret of a client can stay valid.
const MaxKeepOld = 90 * 24 * time.Hour

// updateAttempts bounds how often a change is attempted again because another one was faster.
const updateAttempts = 5

// Add registers a client and returns its secret, which is not shown again; it is empty for a client without one. A
// *clients.MetadataError says what is wrong; storage.ErrExists: the ID is taken.
func (r *Registry) Add(ctx context.Context, reg clients.Registration) (*clients.Client, storage.Secret, error) {
	reg.Schemes = r.cfg.Schemes
	metadata, policy, err := clients.ValidateFor(&reg)
	if err != nil {
		return nil, "", err
	}
	if reg.ID == "" {
		reg.ID = clients.NewID()
	} else if err := clients.CheckNewID(reg.ID); err != nil {
		return nil, "", err
	}
	row := r.newRow(reg.ID, storage.OriginOperator, metadata, policy)
	var secret storage.Secret
	if metadata.UsesSecret() {
		secret = clients.NewSecret(secretPrefix)
		row.SecretMAC = secretMAC(r.cfg.MACKeys[0], row.ID, secret)
	}
	if err := r.create(ctx, row, r.registrationEvent(ctx, "client_created", &reg, row.ID, details{Name: metadata.ClientName})); err != nil {
		return nil, "", fmt.Errorf("add client %q: %w", row.ID, err)
	}
	c, err := clients.FromRow(row)
	return c, secret, err
}

func (r *Registry) newRow(id string, origin storage.ClientOrigin, m clients.Metadata, p clients.Policy) *storage.Client {
	now, reg := r.now(), clients.Registration{Metadata: m, Policy: p}
	return &storage.Client{
		ID: id, Metadata: reg.Encode(), AuthEpoch: now.UnixMicro(), Version: 1, CreatedAt: now, UpdatedAt: now, Origin: origin,
	}
}

func (r *Registry) create(ctx context.Context, row *storage.Client, event *storage.AuditEvent) error {
	if err := r.cfg.Store.CreateClient(ctx, row, event); err != nil {
		return err
	}
	r.changed(row.ID)
	return nil
}

// Update changes the metadata and the policy of a client: change gets the current ones and sets the new ones. It may be
// called more than once. A client that becomes public, or changes to its own key, loses its secrets; one that is to have a
// secret again has none until RotateSecret. A *clients.MetadataError says what is wrong; storage.ErrNotFound.
func (r *Registry) Update(ctx context.Context, id string, change func(*clients.Registration) error) (*clients.Client, error) {
	return r.update(ctx, id, func(row *storage.Client, c *clients.Client) ([]*storage.AuditEvent, error) {
		reg := c.Registration()
		before := reg.Encode()
		reg.GrantTypes, reg.ResponseTypes = slices.Clone(c.GrantTypes), slices.Clone(c.ResponseTypes) // to see what changed
		err := change(&reg)
		if err != nil {
			return nil, err
		}
		if reg.ID != id {
			return nil, clients.Invalid("client_id", "it can't be changed")
		}
		// If only the grant types change, the response types follow (RFC 7591 §2.1: the two agree).
		if slices.Equal(reg.ResponseTypes, c.ResponseTypes) && !slices.Equal(reg.GrantTypes, c.GrantTypes) {
			reg.ResponseTypes = nil
		}
		reg.Schemes = r.cfg.Schemes
		if reg.Metadata, reg.Policy, err = clients.ValidateFor(&reg); err != nil {
			return nil, err
		}
		if plain := reg.Unencrypted(); len(plain) > 0 && c.Origin != storage.OriginOperator {
			return nil, clients.Invalid("redirect_uris", "%.200q: a client that registered itself must use https, or http on a loopback host", plain[0])
		}
		if reg.Policy.Verified && !c.Policy.Verified || reg.FirstParty && !c.FirstParty {
			reg.TrustWithdrawnAt = 0 // trusted anew, as it is now
		}
		row.Metadata = reg.Encode()
		fields := difference(before, row.Metadata)
		if len(fields) == 0 {
			return nil, nil
		}
		row.RegistrationKey = storage.Digest{} // it is no longer what was registered
		if !reg.UsesSecret() {
			clearSecrets(row)
		}
		return []*storage.AuditEvent{r.registrationEvent(ctx, "client_updated", &reg, id, details{Fields: fields})}, nil
	})
}

func clearSecrets(row *storage.Client) {
	row.SecretMAC, row.PreviousSecretMAC, row.PreviousSecretExpiresAt = storage.Digest{}, storage.Digest{}, time.Time{}
}

// RotateSecret makes a new secret for a client. The current one stays valid for keepOld; an older one ends at once.
// ErrNoSecret; storage.ErrNotFound.
func (r *Registry) RotateSecret(ctx context.Context, id string, keepOld time.Duration) (storage.Secret, error) {
	return r.RotateSecretIf(ctx, id, nil, keepOld)
}

// RotateSecretIf is RotateSecret while the client is as was, unless that is nil. storage.ErrConflict: it was changed, as by another rotation.
func (r *Registry) RotateSecretIf(ctx context.Context, id string, was *clients.Client, keepOld time.Duration) (storage.Secret, error) {
	if keepOld < 0 || keepOld > MaxKeepOld {
		return "", fmt.Errorf("the old secret can be kept for 0s to %s", clients.Duration(MaxKeepOld))
	}
	secret := clients.NewSecret(secretPrefix)
	_, err := r.update(ctx, id, func(row *storage.Client, c *clients.Client) ([]*storage.AuditEvent, error) {
		if err := unchanged(row, was); err != nil {
			return nil, err
		}
		if !c.UsesSecret() {
			return nil, ErrNoSecret
		}
		row.RegistrationKey = storage.Digest{} // registering the same again must not return this secret
		current := row.SecretMAC
		clearSecrets(row)
		if keepOld > 0 && !current.IsZero() {
			row.PreviousSecretMAC, row.PreviousSecretExpiresAt = current, r.now().Add(keepOld)
		}
		row.SecretMAC = secretMAC(r.cfg.MACKeys[0], id, secret)
		return []*storage.AuditEvent{r.eventOf(ctx, "client_secret_rotated", id, details{KeepOld: clients.Duration(keepOld)})}, nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// SetDisabled disables or enables a client. Disabling ends every grant of the client for good. storage.ErrNotFound.
func (r *Registry) SetDisabled(ctx context.Context, id string, disabled bool) error {
	return r.SetDisabledIf(ctx, id, nil, disabled)
}

// SetDisabledIf is SetDisabled while the client is as was, unless that is nil. storage.ErrConflict: it was changed.
func (r *Registry) SetDisabledIf(ctx context.Context, id string, was *clients.Client, disabled bool) error {
	_, err := r.update(ctx, id, func(row *storage.Client, _ *clients.Client) ([]*storage.AuditEvent, error) {
		if err := unchanged(row, was); err != nil {
			return nil, err
		}
		if row.Disabled == disabled {
			return nil, nil
		}
		row.Disabled = disabled
		if !disabled {
			return []*storage.AuditEvent{r.eventOf(ctx, "client_enabled", id, details{})}, nil
		}
		// The epoch ends the grants even when the client is enabled again.
		row.AuthEpoch = max(row.AuthEpoch+1, r.now().UnixMicro())
		return []*storage.AuditEvent{r.eventOf(ctx, "client_disabled", id, details{})}, nil
	})
	return err
}

// unchanged returns storage.ErrConflict if a client is another version than was, or another client with its ID. UpdateClient compares the version
// again where it writes.
func unchanged(row *storage.Client, was *clients.Client) error {
	if was != nil && (row.Version != was.Version || !row.CreatedAt.Equal(was.CreatedAt)) {
		return fmt.Errorf("change client %.200q: %w", row.ID, storage.ErrConflict)
	}
	return nil
}

// Remove removes a client; its grants are dead. storage.ErrNotFound.
func (r *Registry) Remove(ctx context.Context, id string) error {
	return r.remove(ctx, id, r.eventOf(ctx, "client_removed", id, details{}))
}

func (r *Registry) remove(ctx context.Context, id string, event *storage.AuditEvent) error {
	if err := r.cfg.Store.RemoveClient(ctx, id, event); err != nil {
		return fmt.Errorf("remove client %.200q: %w", id, err)
	}
	r.changed(id)
	return nil
}

// List returns up to limit clients with an ID above after, by ascending ID, from the database.
func (r *Registry) List(ctx context.Context, after string, limit int) ([]*clients.Client, error) {
	rows, err := r.cfg.Store.ListClients(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	list := make([]*clients.Client, len(rows))
	for i, row := range rows {
		if list[i], err = clients.FromRow(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// EnsureSimpleJWT creates the built-in client of the simplejwt routes unless there is a client with its ID: an operator's
// changes stay.
func (r *Registry) EnsureSimpleJWT(ctx context.Context, policy clients.Policy) error {
	_, err := r.cfg.Store.Client(ctx, clients.SimpleJWTID)
	if err == nil {
		return nil
	}
	if !isNotFound(err) {
		return fmt.Errorf("read client %q: %w", clients.SimpleJWTID, err)
	}
	policy.FirstParty = true
	if policy.AccessTokenFormat == "" {
		policy.AccessTokenFormat = clients.FormatSimpleJWT
	}
	_, _, err = r.Add(ctx, clients.Registration{
		ID: clients.SimpleJWTID,
		Metadata: clients.Metadata{
			ClientName:              "simplejwt routes",
			GrantTypes:              []string{clients.GrantPassword, clients.GrantRefreshToken},
			TokenEndpointAuthMethod: clients.AuthNone,
		},
		Policy: policy,
		Actor:  "server",
	})
	if errors.Is(err, storage.ErrExists) {
		return nil // another replica was faster
	}
	return err
}

// update reads a client, lets change alter its row, and stores that, or starts again if the row has changed meanwhile. change
// returns the audit events; none means that there is nothing to store.
func (r *Registry) update(
	ctx context.Context, id string, change func(*storage.Client, *clients.Client) ([]*storage.AuditEvent, error),
) (*clients.Client, error) {
	for range updateAttempts {
		row, err := r.cfg.Store.Client(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("read client %.200q: %w", id, err)
		}
		c, err := clients.FromRow(row)
		if err != nil {
			return nil, err
		}
		events, err := change(row, c)
		if err != nil || len(events) == 0 {
			return c, err
		}
		row.UpdatedAt = r.now()
		err = r.cfg.Store.UpdateClient(ctx, row, events...)
		if errors.Is(err, storage.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("change client %q: %w", id, err)
		}
		r.changed(id)
		return clients.FromRow(row)
	}
	return nil, fmt.Errorf("change client %q: %w", id, storage.ErrConflict)
}

// changed makes this process see its own change at once.
func (r *Registry) changed(id string) { r.Changed(storage.Change{Kind: storage.ChangeClient, ID: id}) }

func (r *Registry) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }

// details are the details of an audit event.
type details struct {
	Name     string           `json:"client_name,omitempty"`
	Fields   []string         `json:"fields,omitempty"`
	Lost     []string         `json:"withdrawn,omitempty"`
	KeepOld  clients.Duration `json:"keep_old,omitempty"`
	Resource string           `json:"resource,omitempty"`
	Token    string           `json:"registration_token,omitempty"`
}

// eventOf is event for a change by an operator.
func (r *Registry) eventOf(ctx context.Context, action, id string, d details) *storage.AuditEvent {
	e := r.event(action, "", id, d)
	if r.cfg.Stamp != nil {
		r.cfg.Stamp(ctx, e)
	}
	return e
}

// registrationEvent is eventOf by the actor that the registration names, if it names one.
func (r *Registry) registrationEvent(ctx context.Context, action string, reg *clients.Registration, id string, d details) *storage.AuditEvent {
	e := r.eventOf(ctx, action, id, d)
	e.Actor = cmp.Or(reg.Actor, e.Actor)
	return e
}

func (r *Registry) event(action, actor, id string, d details) *storage.AuditEvent {
	event := storage.NewAuditEvent(action, cmp.Or(actor, r.cfg.Actor), r.now())
	event.ClientID = id
	if raw, err := json.Marshal(d); err == nil && string(raw) != "{}" {
		event.Details = raw
	}
	return event
}

// difference returns the names of the members in which two encoded registrations differ, sorted.
func difference(before, after json.RawMessage) (fields []string) {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return nil
	}
	for name, value := range b {
		if !bytes.Equal(a[name], value) {
			fields = append(fields, name)
		}
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			fields = append(fields, name)
		}
	}
	slices.Sort(fields)
	return fields
}
