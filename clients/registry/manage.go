package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/storage"
)

// Registration is what a client is registered with.
type Registration struct {
	// ID is the client_id; when it is empty one is drawn.
	ID string
	Metadata
	Policy
	// Actor is who registers, for the audit event; empty means the registry's.
	Actor string
}

// ErrNoSecret: a client that is public, or that authenticates with its own key, has no secret to rotate.
var ErrNoSecret = errors.New("the client has no secret")

// maxKeepOld bounds how long the previous secret of a client stays good.
const maxKeepOld = 90 * 24 * time.Hour

// updateAttempts bounds how often a change is made again because someone else was faster.
const updateAttempts = 5

// Add registers a client and gives its secret, which is shown nowhere else and never again; it is empty for a public
// client. A *MetadataError says what is wrong; storage.ErrExists: the ID is taken.
func (r *Registry) Add(ctx context.Context, reg Registration) (*Client, storage.Secret, error) {
	metadata, policy, err := Validate(reg.Metadata, reg.Policy)
	if err != nil {
		return nil, "", err
	}
	if reg.ID == "" {
		reg.ID = newID()
	} else if !ValidID(reg.ID) {
		return nil, "", invalid("client_id", "it must have 1 to %d printable ASCII characters", maxID)
	}
	now := r.now()
	row := &storage.Client{ID: reg.ID, AuthEpoch: now.UnixMicro(), Version: 1, CreatedAt: now, UpdatedAt: now, Origin: storage.OriginOperator}
	if row.Metadata, err = (document{Metadata: metadata, Policy: policy}).encode(); err != nil {
		return nil, "", fmt.Errorf("add client: %w", err)
	}
	var secret storage.Secret
	if metadata.hasSecret() {
		secret = NewSecret(secretPrefix)
		row.SecretMAC = secretMAC(r.cfg.MACKeys[0], row.ID, secret)
	}
	event := r.event("client_created", reg.Actor, row.ID, details{Name: metadata.ClientName})
	if err := r.cfg.Store.CreateClient(ctx, row, event); err != nil {
		return nil, "", fmt.Errorf("add client %q: %w", row.ID, err)
	}
	r.changed(row.ID)
	c, err := fromRow(row)
	return c, secret, err
}

// Update changes the metadata and the policy of a client: change gets the present ones and writes the new ones. It may be
// called more than once. A client that becomes public, or takes to a key of its own, loses its secrets; one that is to have a
// secret again has none until RotateSecret. A *MetadataError says what is wrong; storage.ErrNotFound.
func (r *Registry) Update(ctx context.Context, id string, change func(*Registration) error) (*Client, error) {
	return r.update(ctx, id, func(row *storage.Client, c *Client) (*storage.AuditEvent, error) {
		before, err := c.document().encode()
		if err != nil {
			return nil, err
		}
		reg := Registration{ID: id, Metadata: c.Metadata, Policy: c.Policy}
		reg.GrantTypes, reg.ResponseTypes = slices.Clone(c.GrantTypes), slices.Clone(c.ResponseTypes) // to see what changed
		if err := change(&reg); err != nil {
			return nil, err
		}
		if reg.ID != id {
			return nil, invalid("client_id", "it can't be changed")
		}
		// Who changes the grant types alone means the response types to follow (RFC 7591 §2.1: the two agree).
		if slices.Equal(reg.ResponseTypes, c.ResponseTypes) && !slices.Equal(reg.GrantTypes, c.GrantTypes) {
			reg.ResponseTypes = nil
		}
		metadata, policy, err := Validate(reg.Metadata, reg.Policy)
		if err != nil {
			return nil, err
		}
		if row.Metadata, err = (document{metadata, policy, c.rotations}).encode(); err != nil {
			return nil, err
		}
		fields := difference(before, row.Metadata)
		if len(fields) == 0 {
			return nil, nil
		}
		row.RegistrationKey = storage.Digest{} // it is not any more what was registered
		if !metadata.hasSecret() {
			row.SecretMAC, row.PreviousSecretMAC, row.PreviousSecretExpiresAt = storage.Digest{}, storage.Digest{}, time.Time{}
		}
		return r.event("client_updated", reg.Actor, id, details{Fields: fields}), nil
	})
}

// RotateSecret gives a client a new secret. The present one stays good for keepOld; an older one is not good any more.
// ErrNoSecret; storage.ErrNotFound.
func (r *Registry) RotateSecret(ctx context.Context, id string, keepOld time.Duration) (storage.Secret, error) {
	if keepOld < 0 || keepOld > maxKeepOld {
		return "", fmt.Errorf("the old secret can be kept for 0s to %s", Duration(maxKeepOld))
	}
	secret := NewSecret(secretPrefix)
	_, err := r.update(ctx, id, func(row *storage.Client, c *Client) (*storage.AuditEvent, error) {
		if !c.hasSecret() {
			return nil, ErrNoSecret
		}
		row.RegistrationKey = storage.Digest{} // who registers the same again can't be told this secret
		row.PreviousSecretMAC, row.PreviousSecretExpiresAt = storage.Digest{}, time.Time{}
		if keepOld > 0 && !row.SecretMAC.IsZero() {
			row.PreviousSecretMAC, row.PreviousSecretExpiresAt = row.SecretMAC, r.now().Add(keepOld)
		}
		row.SecretMAC = secretMAC(r.cfg.MACKeys[0], id, secret)
		return r.event("client_secret_rotated", "", id, details{KeepOld: Duration(keepOld)}), nil
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// SetDisabled disables or enables a client. Disabling ends every grant of the client for good. storage.ErrNotFound.
func (r *Registry) SetDisabled(ctx context.Context, id string, disabled bool) error {
	_, err := r.update(ctx, id, func(row *storage.Client, _ *Client) (*storage.AuditEvent, error) {
		if row.Disabled == disabled {
			return nil, nil
		}
		row.Disabled = disabled
		if !disabled {
			return r.event("client_enabled", "", id, details{}), nil
		}
		// The epoch ends the grants even when the client is enabled again.
		row.AuthEpoch = max(row.AuthEpoch+1, r.now().UnixMicro())
		return r.event("client_disabled", "", id, details{}), nil
	})
	return err
}

// Remove forgets a client; its grants are dead. storage.ErrNotFound.
func (r *Registry) Remove(ctx context.Context, id string) error {
	if err := r.cfg.Store.RemoveClient(ctx, id, r.event("client_removed", "", id, details{})); err != nil {
		return fmt.Errorf("remove client %q: %w", shorten(id), err)
	}
	r.changed(id)
	return nil
}

// List gives up to limit clients with an ID above after, by ascending ID, from the database.
func (r *Registry) List(ctx context.Context, after string, limit int) ([]*Client, error) {
	rows, err := r.cfg.Store.ListClients(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	list := make([]*Client, len(rows))
	for i, row := range rows {
		if list[i], err = fromRow(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// EnsureSimpleJWT makes the built-in client of the simplejwt routes, unless a client of that name is there: what an
// operator made of it stays.
func (r *Registry) EnsureSimpleJWT(ctx context.Context, policy Policy) error {
	_, err := r.cfg.Store.Client(ctx, SimpleJWTID)
	if err == nil {
		return nil
	}
	if !isNotFound(err) {
		return fmt.Errorf("read client %q: %w", SimpleJWTID, err)
	}
	policy.FirstParty = true
	if policy.AccessTokenFormat == "" {
		policy.AccessTokenFormat = FormatSimpleJWT
	}
	_, _, err = r.Add(ctx, Registration{
		ID: SimpleJWTID,
		Metadata: Metadata{
			ClientName:              "simplejwt routes",
			GrantTypes:              []string{GrantPassword, GrantRefreshToken},
			TokenEndpointAuthMethod: AuthNone,
		},
		Policy: policy,
		Actor:  "server",
	})
	if errors.Is(err, storage.ErrExists) {
		return nil // another replica was faster
	}
	return err
}

// update reads a client, lets change alter its row, and stores that if nobody else has changed it meanwhile, else it
// begins anew. change returns the audit event; nil means that there is nothing to store.
func (r *Registry) update(
	ctx context.Context, id string, change func(*storage.Client, *Client) (*storage.AuditEvent, error),
) (*Client, error) {
	for range updateAttempts {
		row, err := r.cfg.Store.Client(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("read client %q: %w", shorten(id), err)
		}
		c, err := fromRow(row)
		if err != nil {
			return nil, err
		}
		event, err := change(row, c)
		if err != nil || event == nil {
			return c, err
		}
		row.UpdatedAt = r.now()
		err = r.cfg.Store.UpdateClient(ctx, row, event)
		if errors.Is(err, storage.ErrConflict) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("change client %q: %w", id, err)
		}
		r.changed(id)
		return fromRow(row)
	}
	return nil, fmt.Errorf("change client %q: %w", id, storage.ErrConflict)
}

// changed makes this process see its own change at once.
func (r *Registry) changed(id string) { r.Changed(storage.Change{Kind: storage.ChangeClient, ID: id}) }

func (r *Registry) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }

// details are what an audit event says besides who and which client.
type details struct {
	Name     string   `json:"client_name,omitempty"`
	Fields   []string `json:"fields,omitempty"`
	KeepOld  Duration `json:"keep_old,omitempty"`
	Resource string   `json:"resource,omitempty"`
	Token    string   `json:"registration_token,omitempty"`
}

func (r *Registry) event(action, actor, id string, d details) *storage.AuditEvent {
	if actor == "" {
		actor = r.cfg.Actor
	}
	now := r.now()
	return &storage.AuditEvent{
		ID: storage.NewID(now), At: now, Action: action, Actor: actor, ClientID: id, Outcome: "success", Details: encodeDetails(d),
	}
}

func encodeDetails(d details) json.RawMessage {
	raw, err := json.Marshal(d)
	if err != nil || bytes.Equal(raw, []byte("{}")) {
		return nil
	}
	return raw
}

// difference names the members in which two JSON objects of ours differ, sorted.
func difference(before, after json.RawMessage) []string {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return nil
	}
	var fields []string
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
