package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/storage"
)

// RegistrationRequest is a registration request (RFC 7591 §3.1).
type RegistrationRequest struct {
	// Metadata is the body.
	Metadata []byte
	// InitialToken is the initial access token; empty if none was sent.
	InitialToken storage.Secret
	// Open allows registration without an initial access token.
	Open bool
	// Network is the MAC of the network that the request comes from: without a token, registering the same again from there
	// returns the same client.
	Network storage.Digest
	Caller
}

// Caller is who makes a request, for its audit event.
type Caller struct{ Address, RequestID string }

// Registered is a client that registered itself, with the credentials to send to it.
type Registered struct {
	Client *clients.Client
	// Secret is empty if there is none, or if it was shown before and can't be shown again.
	Secret storage.Secret
	// AccessToken is the registration access token (RFC 7592 §3): from now on the only valid one.
	AccessToken storage.Secret
}

// Response returns the client information response. Policies are not shown.
func (s *Registered) Response(registrationClientURI string) clients.RegistrationResponse {
	shown := s.Client.Response(s.Secret)
	shown.Policy, shown.Disabled = clients.Policy{}, false
	if s.AccessToken != "" {
		shown.RegistrationAccessToken, shown.RegistrationClientURI = s.AccessToken.Reveal(), registrationClientURI
	}
	return shown
}

// ErrRegistrationToken reports that the token is not the client's current registration access token, or that there is no such
// client: 401.
var ErrRegistrationToken = errors.New("no valid registration access token")

// unusedTTL is how long a client that registered openly waits for its first user.
const unusedTTL = 7 * 24 * time.Hour

// Register registers a client. A *clients.MetadataError says what is wrong; ErrInitialToken; storage.ErrLimit: too many
// clients wait for their first user.
//
// A client without a token is removed unless a user logs in to it within seven days. Until that login the same metadata from
// the same network return the same client, with the same secret and token: docs/decisions/0009.
func (r *Registry) Register(ctx context.Context, req RegistrationRequest) (*Registered, error) {
	if req.InitialToken == "" && !req.Open || req.InitialToken != "" && !clients.IsSecret(initialTokenPrefix, req.InitialToken) {
		return nil, ErrInitialToken
	}
	d, err := clients.ParseDescription(req.Metadata)
	if err != nil {
		return nil, err
	}
	d.Schemes = r.cfg.Schemes
	// What is wrong with the metadata alone is reported before a token is looked up for it.
	metadata, _, err := d.Validate(clients.Policy{})
	if err != nil {
		return nil, err
	}
	if d.Scope, err = r.knownScope(ctx, metadata.Scope, nil); err != nil {
		return nil, err
	}
	metadata.Scope = d.Scope
	if req.InitialToken == "" {
		return r.registerOpenly(ctx, metadata, req)
	}
	policy, err := r.initialPolicy(ctx, req.InitialToken)
	if err != nil {
		return nil, err
	}
	if metadata, policy, err = d.Validate(policy); err != nil {
		return nil, err
	}
	made, row := r.newRegistered(metadata, policy)
	event := r.selfEvent(ctx, "client_registered", row.ID, details{Name: metadata.ClientName}, req.Caller)
	err = r.cfg.Store.UseRegistrationToken(ctx, initialTokenHash(req.InitialToken), r.now(), row, event)
	switch {
	case isNotFound(err): // another request has used it up since, or it has ended
		return nil, ErrInitialToken
	case err != nil:
		return nil, fmt.Errorf("register client: %w", err)
	}
	r.changed(row.ID)
	return made.with(row)
}

// knownScope leaves out of a scope what there is not, and what the client does not have yet: RFC 7591 §2 lets the server replace metadata, and the
// answer shows what is left. Agents register what they have read somewhere.
func (r *Registry) knownScope(ctx context.Context, asked string, has []string) (string, error) {
	if r.cfg.Scopes == nil || asked == "" {
		return asked, nil
	}
	resources, err := r.Resources(ctx)
	if err != nil {
		return "", err
	}
	known := append(slices.Clone(r.cfg.Scopes), has...)
	for _, resource := range resources {
		known = append(known, resource.Scopes...)
	}
	scopes := slices.DeleteFunc(strings.Fields(asked), func(scope string) bool { return !slices.Contains(known, scope) })
	return strings.Join(scopes, " "), nil
}

// with sets the client to the stored one.
func (s *Registered) with(row *storage.Client) (_ *Registered, err error) {
	s.Client, err = clients.FromRow(row)
	return s, err
}

// newRegistered returns the row and the credentials of a client that registers itself.
func (r *Registry) newRegistered(metadata clients.Metadata, policy clients.Policy) (*Registered, *storage.Client) {
	row := r.newRow(clients.NewID(), storage.OriginRegistration, metadata, policy)
	made := &Registered{AccessToken: registrationToken(r.selfKeys[0], row.ID, 0)}
	row.RegistrationMAC = secretMAC(r.cfg.MACKeys[0], row.ID, made.AccessToken)
	if metadata.UsesSecret() {
		made.Secret = derivedSecret(r.selfKeys[0], row.ID)
		row.SecretMAC = secretMAC(r.cfg.MACKeys[0], row.ID, made.Secret)
	}
	return made, row
}

// registerOpenly creates the client, or returns the one that the same metadata created before.
func (r *Registry) registerOpenly(ctx context.Context, metadata clients.Metadata, req RegistrationRequest) (*Registered, error) {
	reg := clients.Registration{Metadata: metadata}
	key := storage.Digest(derive(r.selfKeys[0], "registration", reg.Encode(), req.Network[:]))
	for range updateAttempts {
		made, row := r.newRegistered(metadata, clients.Policy{})
		// Whole hours, so that registering the same again and again costs one write an hour.
		row.RegistrationKey, row.ExpiresAt = key, r.now().Add(unusedTTL).Truncate(time.Hour)
		event := r.selfEvent(ctx, "client_registered", row.ID, details{Name: metadata.ClientName}, req.Caller)
		stored, err := r.cfg.Store.CreateRegisteredClient(ctx, row, r.cfg.MaxUnused, event)
		if err != nil {
			return nil, fmt.Errorf("register client: %w", err)
		}
		if stored.ID == row.ID {
			r.changed(row.ID)
			return made.with(stored)
		}
		found, err := r.again(ctx, stored)
		if found != nil || err != nil {
			return found, err
		}
	}
	return nil, fmt.Errorf("register client: %w", storage.ErrConflict)
}

// again returns a client that was registered before with its credentials; nil if a user has logged in to it meanwhile, which
// ends that.
func (r *Registry) again(ctx context.Context, row *storage.Client) (*Registered, error) {
	if row.ExpiresAt.IsZero() {
		row.RegistrationKey, row.UpdatedAt = storage.Digest{}, r.now()
		err := r.cfg.Store.UpdateClient(ctx, row, nil)
		if err != nil && !errors.Is(err, storage.ErrConflict) && !isNotFound(err) { // otherwise another request was faster
			return nil, fmt.Errorf("register client: %w", err)
		}
		r.changed(row.ID)
		return nil, nil
	}
	c, err := clients.FromRow(row)
	if err != nil {
		return nil, err
	}
	found := &Registered{Client: c}
	for _, key := range r.selfKeys { // they may have been derived from a retired root secret
		if token := registrationToken(key, c.ID, c.TokenRotations); r.isMAC(c.ID, token, row.RegistrationMAC, storage.Digest{}) {
			found.AccessToken = token
		}
		if secret := derivedSecret(key, c.ID); r.CheckSecret(c, secret) {
			found.Secret = secret
		}
	}
	return found, nil
}

// ReadRegistration returns a client to itself (RFC 7592 §2.1). It changes nothing: the token stays the current one until an
// update, as clients expect that keep the first (§3). ErrRegistrationToken.
func (r *Registry) ReadRegistration(ctx context.Context, id string, token storage.Secret) (*Registered, error) {
	row, err := r.cfg.Store.Client(ctx, id)
	switch {
	case isNotFound(err), err == nil && !r.mayManage(row, token):
		return nil, ErrRegistrationToken
	case err != nil:
		return nil, fmt.Errorf("read client %.200q: %w", id, err)
	}
	return (&Registered{AccessToken: token}).with(row)
}

// ReplaceRegistration replaces the metadata of a client (RFC 7592 §2.2): what is not sent is gone. The rules are those of
// Register; policies stay. The result has the next registration access token. A *clients.MetadataError; ErrRegistrationToken.
func (r *Registry) ReplaceRegistration(
	ctx context.Context, id string, token storage.Secret, metadata []byte, caller Caller,
) (*Registered, error) {
	return r.withToken(ctx, id, token, func(row *storage.Client, c *clients.Client, out *Registered) ([]*storage.AuditEvent, error) {
		d, err := clients.ParseDescription(metadata)
		if err != nil {
			return nil, err
		}
		d.Schemes = r.cfg.Schemes
		if err := r.checkIdentity(d, c); err != nil {
			return nil, err
		}
		before, after, reg := c.Registration(), c.Registration(), c.Registration()
		if after.Metadata, after.Policy, err = d.Validate(c.Policy); err != nil {
			return nil, err
		}
		if after.Scope, err = r.knownScope(ctx, after.Scope, c.Scopes()); err != nil {
			return nil, err
		}
		events := []*storage.AuditEvent{r.selfEvent(ctx, "client_registration_updated", id, details{Fields: difference(before.Encode(), after.Encode())}, caller)}
		reg.Policy = after.Policy
		events = append(events, r.describe(row, &reg, after.Metadata, caller)...)
		row.RegistrationKey = storage.Digest{} // it is no longer what was registered
		switch {
		case !reg.UsesSecret():
			clearSecrets(row)
		case !c.HasSecret():
			out.Secret = clients.NewSecret(secretPrefix)
			row.SecretMAC = secretMAC(r.cfg.MACKeys[0], id, out.Secret)
		}
		r.rotateToken(row, reg)
		return events, nil
	})
}

// checkIdentity checks an update (RFC 7592 §2.2): it names the client, and any secret in it is the current one.
func (r *Registry) checkIdentity(d *clients.Description, c *clients.Client) error {
	if id, ok := d.Member("client_id"); !ok || id != c.ID {
		return clients.Invalid("client_id", "it must be the client's own")
	}
	if secret, ok := d.Member("client_secret"); d.Has("client_secret") && !(ok && r.CheckSecret(c, storage.Secret(secret))) {
		return clients.Invalid("client_secret", "it is not the client's own: a client can't choose one")
	}
	return nil
}

// RemoveRegistration removes a client on its own request (RFC 7592 §2.3); its grants are dead. ErrRegistrationToken.
func (r *Registry) RemoveRegistration(ctx context.Context, id string, token storage.Secret, caller Caller) error {
	row, err := r.cfg.Store.Client(ctx, id)
	if err == nil && !r.mayManage(row, token) {
		return ErrRegistrationToken
	}
	if err == nil {
		err = r.remove(ctx, id, r.selfEvent(ctx, "client_registration_removed", id, details{}, caller))
	}
	if isNotFound(err) {
		return ErrRegistrationToken
	}
	return err
}

// withToken changes a client for a caller that has its registration access token. Of concurrent callers with the same token
// one succeeds: the others find another token in the row.
func (r *Registry) withToken(
	ctx context.Context, id string, token storage.Secret,
	change func(*storage.Client, *clients.Client, *Registered) ([]*storage.AuditEvent, error),
) (*Registered, error) {
	var out *Registered
	c, err := r.update(ctx, id, func(row *storage.Client, c *clients.Client) ([]*storage.AuditEvent, error) {
		if !r.mayManage(row, token) {
			return nil, ErrRegistrationToken
		}
		out = &Registered{AccessToken: registrationToken(r.selfKeys[0], id, c.TokenRotations+1)}
		return change(row, c, out)
	})
	if isNotFound(err) {
		return nil, ErrRegistrationToken
	}
	if err != nil {
		return nil, err
	}
	out.Client = c
	return out, nil
}

// rotateToken makes the next registration access token the valid one, and stores reg.
func (r *Registry) rotateToken(row *storage.Client, reg clients.Registration) {
	reg.TokenRotations++
	row.RegistrationMAC = secretMAC(r.cfg.MACKeys[0], row.ID, registrationToken(r.selfKeys[0], row.ID, reg.TokenRotations))
	row.Metadata = reg.Encode()
}

// mayManage reports whether a token is the client's current registration access token. A client that an operator disabled
// can't manage itself.
func (r *Registry) mayManage(row *storage.Client, token storage.Secret) bool {
	good := r.isMAC(row.ID, token, row.RegistrationMAC, storage.Digest{})
	return good && clients.IsSecret(registrationTokenPrefix, token) && row.Origin == storage.OriginRegistration && !row.Disabled
}

// selfEvent returns the audit event of what a client did to its own registration; nil if there were too many of late.
func (r *Registry) selfEvent(ctx context.Context, action, id string, d details, caller Caller) *storage.AuditEvent {
	e := r.event(action, "client", id, d)
	e.Address, e.RequestID = caller.Address, caller.RequestID
	if r.cfg.Limited != nil {
		return r.cfg.Limited(ctx, e)
	}
	return e
}
