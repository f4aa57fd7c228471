package clients

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"latchkey/storage"
)

// RegisterRequest is a registration request (RFC 7591 §3.1).
type RegisterRequest struct {
	// Metadata is the body.
	Metadata []byte
	// InitialToken is the initial access token; empty = none was sent.
	InitialToken storage.Secret
	// Open lets those in who have no initial access token.
	Open bool
	// Place is the MAC of the block of addresses that the request comes from: who registers the same from there without a
	// token gets the same client.
	Place storage.Digest
	Caller
}

// Caller is whom an audit event tells of.
type Caller struct{ Address, RequestID string }

// SelfRegistered is a client that registered itself, with what is for its eyes only.
type SelfRegistered struct {
	Client *Client
	// Secret is empty when there is none, and when it was shown before and can't be shown again.
	Secret storage.Secret
	// AccessToken is the registration access token (RFC 7592 §3): it is good from now on, those before are not.
	AccessToken storage.Secret
}

// Response renders the client information response (RFC 7591 §3.2.1, RFC 7592 §3). Policies are not shown.
func (s *SelfRegistered) Response(registrationClientURI string) Registered {
	shown := s.Client.Registration(s.Secret)
	shown.Policy, shown.Disabled = Policy{}, false
	if s.AccessToken != "" {
		shown.RegistrationAccessToken, shown.RegistrationClientURI = s.AccessToken.Reveal(), registrationClientURI
	}
	return shown
}

// The refusals of registration; both are 401.
var (
	// ErrInitialToken: the initial access token is missing, unknown, ended or used up.
	ErrInitialToken = errors.New("no good initial access token")
	// ErrRegistrationToken: it is not the client's present registration access token, or there is no such client.
	ErrRegistrationToken = errors.New("no good registration access token")
)

// unusedTTL is how long a client that anybody may register waits for its first user.
const unusedTTL = 7 * 24 * time.Hour

// DefaultMaxUnused is how many clients that were registered openly may wait for their first user.
const DefaultMaxUnused = 10_000

// Register registers a client for who asks. A *MetadataError says what is wrong; ErrInitialToken; storage.ErrLimit: too
// many clients wait for their first user.
//
// Who has no token gets a client that is removed unless a user logs in to it within seven days. Until that login the same
// metadata from the same place give the same client, with the same secret and token: docs/decisions/0009.
func (r *Registry) Register(ctx context.Context, req RegisterRequest) (*SelfRegistered, error) {
	if req.InitialToken == "" && !req.Open || req.InitialToken != "" && !IsSecret(initialAccessPrefix, req.InitialToken) {
		return nil, ErrInitialToken
	}
	d, fault := readDescribed(req.Metadata)
	if fault != nil {
		return nil, fault
	}
	// What is wrong with the metadata alone is said before a token is used up for it.
	metadata, _, err := d.settle(Policy{})
	if err != nil {
		return nil, err
	}
	if req.InitialToken == "" {
		return r.registerOpenly(ctx, metadata, req)
	}
	policy, err := r.useInitialToken(ctx, req.InitialToken)
	if err != nil {
		return nil, err
	}
	if metadata, policy, err = Validate(metadata, policy); err != nil {
		return nil, err
	}
	made, row, err := r.newRegistered(metadata, policy)
	if err != nil {
		return nil, err
	}
	if err := r.cfg.Store.CreateClient(ctx, row, r.registeredEvent("client_registered", row.ID, metadata.ClientName, req.Caller)); err != nil {
		return nil, fmt.Errorf("register client: %w", err)
	}
	r.changed(row.ID)
	return made.with(row)
}

// with completes what was made by the client as it was stored.
func (s *SelfRegistered) with(row *storage.Client) (_ *SelfRegistered, err error) {
	s.Client, err = fromRow(row)
	return s, err
}

// newRegistered makes the row of a client that registers itself.
func (r *Registry) newRegistered(metadata Metadata, policy Policy) (*SelfRegistered, *storage.Client, error) {
	now := r.now()
	row := &storage.Client{
		ID: newID(), AuthEpoch: now.UnixMicro(), Version: 1, CreatedAt: now, UpdatedAt: now, Origin: storage.OriginRegistration,
	}
	raw, err := (document{Metadata: metadata, Policy: policy}).encode()
	if err != nil {
		return nil, nil, fmt.Errorf("register client: %w", err)
	}
	row.Metadata = raw
	made := &SelfRegistered{AccessToken: registrationToken(r.selfKeys[0], row.ID, 0)}
	row.RegistrationMAC = secretMAC(r.cfg.MACKeys[0], row.ID, made.AccessToken)
	if metadata.hasSecret() {
		made.Secret = derivedSecret(r.selfKeys[0], row.ID)
		row.SecretMAC = secretMAC(r.cfg.MACKeys[0], row.ID, made.Secret)
	}
	return made, row, nil
}

// registerOpenly makes the client, or finds the one that the same metadata made before.
func (r *Registry) registerOpenly(ctx context.Context, metadata Metadata, req RegisterRequest) (*SelfRegistered, error) {
	key, err := r.registrationKey(metadata, req.Place)
	if err != nil {
		return nil, err
	}
	for range updateAttempts {
		made, row, err := r.newRegistered(metadata, Policy{})
		if err != nil {
			return nil, err
		}
		// Whole hours, so that who registers the same again and again makes one write an hour.
		row.RegistrationKey, row.ExpiresAt = key, r.now().Add(unusedTTL).Truncate(time.Hour)
		event := r.registeredEvent("client_registered", row.ID, metadata.ClientName, req.Caller)
		kept, err := r.cfg.Store.CreateRegisteredClient(ctx, row, r.cfg.MaxUnused, event)
		if err != nil {
			return nil, fmt.Errorf("register client: %w", err)
		}
		if kept.ID == row.ID {
			r.changed(row.ID)
			return made.with(kept)
		}
		found, err := r.again(ctx, kept)
		if found != nil || err != nil {
			return found, err
		}
	}
	return nil, fmt.Errorf("register client: %w", storage.ErrConflict)
}

// again gives a client once more to who registers the same. Nothing: it is in use, and so is never given away again.
func (r *Registry) again(ctx context.Context, row *storage.Client) (*SelfRegistered, error) {
	if row.ExpiresAt.IsZero() {
		row.RegistrationKey, row.UpdatedAt = storage.Digest{}, r.now()
		err := r.cfg.Store.UpdateClient(ctx, row, nil)
		if err != nil && !errors.Is(err, storage.ErrConflict) && !isNotFound(err) { // then someone else was faster
			return nil, fmt.Errorf("register client: %w", err)
		}
		r.changed(row.ID)
		return nil, nil
	}
	c, err := fromRow(row)
	if err != nil {
		return nil, err
	}
	found := &SelfRegistered{Client: c}
	for _, key := range r.selfKeys { // it may have been made with a root secret that is retired
		if token := registrationToken(key, c.ID, c.rotations); r.isMAC(row.RegistrationMAC, c.ID, token) {
			found.AccessToken = token
		}
		if secret := derivedSecret(key, c.ID); r.CheckSecret(c, secret) {
			found.Secret = secret
		}
	}
	return found, nil
}

// ReadRegistered shows a client to itself (RFC 7592 §2.1). The registration access token is good for this one time; the
// answer has the next. ErrRegistrationToken.
func (r *Registry) ReadRegistered(ctx context.Context, id string, token storage.Secret, who Caller) (*SelfRegistered, error) {
	return r.withToken(ctx, id, token, func(row *storage.Client, c *Client, _ *SelfRegistered) (*storage.AuditEvent, error) {
		return r.registeredEvent("client_registration_read", id, "", who), r.rotateToken(row, c, c.document())
	})
}

// ReplaceRegistered replaces the metadata of a client by those that it sends (RFC 7592 §2.2): what it leaves out is gone.
// The rules are those of Register, and the policies stay. A *MetadataError; ErrRegistrationToken.
func (r *Registry) ReplaceRegistered(
	ctx context.Context, id string, token storage.Secret, metadata []byte, who Caller,
) (*SelfRegistered, error) {
	return r.withToken(ctx, id, token, func(row *storage.Client, c *Client, out *SelfRegistered) (*storage.AuditEvent, error) {
		d, fault := readDescribed(metadata)
		if fault != nil {
			return nil, fault
		}
		if fault := r.checkIdentity(d, c); fault != nil {
			return nil, fault
		}
		replaced := c.document()
		replaced.Rotations++ // as it will be: what changes is the rest
		before, err := replaced.encode()
		if err != nil {
			return nil, err
		}
		if replaced.Metadata, replaced.Policy, err = d.settle(c.Policy); err != nil {
			return nil, err
		}
		row.RegistrationKey = storage.Digest{} // it is not any more what was registered
		switch {
		case !replaced.hasSecret():
			row.SecretMAC, row.PreviousSecretMAC, row.PreviousSecretExpiresAt = storage.Digest{}, storage.Digest{}, time.Time{}
		case !c.HasSecret():
			out.Secret = NewSecret(secretPrefix)
			row.SecretMAC = secretMAC(r.cfg.MACKeys[0], id, out.Secret)
		}
		if err := r.rotateToken(row, c, replaced); err != nil {
			return nil, err
		}
		event := r.registeredEvent("client_registration_updated", id, "", who)
		event.Details = encodeDetails(details{Fields: difference(before, row.Metadata)})
		return event, nil
	})
}

// checkIdentity holds an update to RFC 7592 §2.2: it names the client, and the secret if any is the present one.
func (r *Registry) checkIdentity(d *described, c *Client) *MetadataError {
	if id, ok := d.text("client_id"); !ok || id != c.ID {
		return invalid("client_id", "it must be there, and be the client's own")
	}
	if _, sent := d.members["client_secret"]; sent {
		if secret, ok := d.text("client_secret"); !ok || !r.CheckSecret(c, storage.Secret(secret)) {
			return invalid("client_secret", "it is not the client's own: a client can't choose one")
		}
	}
	return nil
}

// RemoveRegistered removes a client at its own wish (RFC 7592 §2.3); its grants are dead. ErrRegistrationToken.
func (r *Registry) RemoveRegistered(ctx context.Context, id string, token storage.Secret, who Caller) error {
	if _, err := r.registered(ctx, id, token); err != nil {
		return err
	}
	err := r.cfg.Store.RemoveClient(ctx, id, r.registeredEvent("client_registration_removed", id, "", who))
	if isNotFound(err) {
		return ErrRegistrationToken // it was removed just now
	}
	if err != nil {
		return fmt.Errorf("remove client %q: %w", id, err)
	}
	r.changed(id)
	return nil
}

// withToken changes a client for who has its registration access token. Of concurrent callers with the same token one
// passes: the others find another token in the row.
func (r *Registry) withToken(
	ctx context.Context, id string, token storage.Secret,
	change func(*storage.Client, *Client, *SelfRegistered) (*storage.AuditEvent, error),
) (*SelfRegistered, error) {
	var out *SelfRegistered
	c, err := r.update(ctx, id, func(row *storage.Client, c *Client) (*storage.AuditEvent, error) {
		out = &SelfRegistered{}
		if !r.mayManage(row, token) {
			return nil, ErrRegistrationToken
		}
		event, err := change(row, c, out)
		out.AccessToken = registrationToken(r.selfKeys[0], id, c.rotations+1)
		return event, err
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

// rotateToken makes the next registration access token the good one, and writes d.
func (r *Registry) rotateToken(row *storage.Client, c *Client, d document) (err error) {
	d.Rotations = c.rotations + 1
	row.RegistrationMAC = secretMAC(r.cfg.MACKeys[0], row.ID, registrationToken(r.selfKeys[0], row.ID, d.Rotations))
	row.Metadata, err = d.encode()
	return err
}

// registered reads the row of a client for who has its registration access token.
func (r *Registry) registered(ctx context.Context, id string, token storage.Secret) (*storage.Client, error) {
	row, err := r.cfg.Store.Client(ctx, id)
	if isNotFound(err) {
		return nil, ErrRegistrationToken
	}
	if err != nil {
		return nil, fmt.Errorf("read client %q: %w", shorten(id), err)
	}
	if !r.mayManage(row, token) {
		return nil, ErrRegistrationToken
	}
	return row, nil
}

// mayManage reports whether a token is the client's present registration access token. A client that an operator
// disabled can't help itself.
func (r *Registry) mayManage(row *storage.Client, token storage.Secret) bool {
	good := r.isMAC(row.RegistrationMAC, row.ID, token)
	return good && IsSecret(registrationAccessPrefix, token) && row.Origin == storage.OriginRegistration && !row.Disabled
}

// isMAC reports whether mac is of a secret, in the same time whether or not.
func (r *Registry) isMAC(mac storage.Digest, id string, secret storage.Secret) bool {
	good := 0
	for _, key := range r.cfg.MACKeys {
		own := secretMAC(key, id, secret) // never all zeros, as a MAC that is not there
		good |= subtle.ConstantTimeCompare(own[:], mac[:])
	}
	return good == 1
}

// registrationKey is of what is registered and where from.
func (r *Registry) registrationKey(metadata Metadata, place storage.Digest) (storage.Digest, error) {
	raw, err := json.Marshal(metadata)
	if err != nil {
		return storage.Digest{}, fmt.Errorf("register client: %w", err)
	}
	return storage.Digest(derive(r.selfKeys[0], "registration", raw, place[:])), nil
}

// selfKeys are the keys of what is made, not drawn, for clients that register themselves. No client has the empty name
// under which they are made of the keys of the secrets.
func selfKeys(keys [][]byte) [][]byte {
	made := make([][]byte, len(keys))
	for i, key := range keys {
		h := hmac.New(sha256.New, key)
		h.Write([]byte("\x00client registration"))
		made[i] = h.Sum(nil)
	}
	return made
}

// derivedSecret is the secret of a client that registered itself: it can be made again, so that it can be shown again.
func derivedSecret(key []byte, id string) storage.Secret {
	return writeSecret(secretPrefix, derive(key, "client secret", []byte(id)))
}

// registrationToken is the registration access token of a client after so many rotations.
func registrationToken(key []byte, id string, rotations uint64) storage.Secret {
	return writeSecret(registrationAccessPrefix, derive(key, "registration access token", []byte(id), binary.BigEndian.AppendUint64(nil, rotations)))
}

// derive makes 32 bytes that only the holder of key can make again, for one purpose.
func derive(key []byte, purpose string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range append([][]byte{[]byte(purpose)}, parts...) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // so that no two lists of parts are alike
		h.Write(part)
	}
	return h.Sum(nil)
}

func (r *Registry) registeredEvent(action, id, name string, who Caller) *storage.AuditEvent {
	e := r.event(action, "client", id, details{Name: name})
	e.Address, e.RequestID = who.Address, who.RequestID
	return e
}
