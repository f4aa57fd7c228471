package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/server/internal/request"
	"latchkey/storage"
)

// clockSkew is added to the time that a retired key stays in the key set, since clocks of replicas and resource servers differ.
const clockSkew = time.Minute

// attempts limits how often an operation is retried because another process was faster.
const attempts = 10

// Actors and actions of audit events.
const (
	actorServer   = "server"
	actorOperator = "operator"

	actionCreated = "signing_key_created"
	actionRotated = "signing_key_rotated"
	actionRetired = "signing_key_retired"
	actionRemoved = "signing_key_removed"
)

// Ensure creates the first key of an algorithm, usable at once, unless one exists. If several rings try at the same time,
// one creates it and all use it. It returns ErrUnsealed if a key exists but was sealed with another root secret.
func (r *Ring) Ensure(ctx context.Context, alg string) error {
	done, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	for range attempts {
		loaded := r.load(ctx)
		s, now := r.current.Load(), r.now()
		if s.signing(alg, now) != nil {
			return nil
		}
		if loaded != nil {
			return loaded // a key exists, it just can't be unsealed here
		}
		_, err := r.create(ctx, alg, now, cause{actionCreated, actorServer, ""})
		if !errors.Is(err, storage.ErrExists) {
			return err
		}
	}
	return fmt.Errorf("create the first %s key: %w", alg, storage.ErrConflict)
}

// Rotate replaces the key of an algorithm. The new key is published at once and begins to sign after the overlap, when
// the old one stops. immediately makes it sign now, for a key that must no longer be used (its tokens are valid until
// [Ring.Retire]). It returns ErrUnsealed if the current key is not sealed with a root secret of this process, since the
// servers could not unseal a key that this process creates.
func (r *Ring) Rotate(ctx context.Context, alg string, immediately bool) (*Key, error) {
	done, err := r.take(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	for range attempts {
		if err := r.load(ctx); err != nil {
			return nil, err
		}
		k, err := r.rotate(ctx, alg, immediately, actorOperator, "requested")
		if !errors.Is(err, storage.ErrExists) {
			return k, err
		}
	}
	return nil, fmt.Errorf("rotate the %s key: %w", alg, storage.ErrConflict)
}

// RotateAll replaces the key of an algorithm, or with an empty one of every algorithm that has a key, of ES256 if none has, as
// Rotate does. It returns the new keys.
func (r *Ring) RotateAll(ctx context.Context, alg string, immediately bool) (made []Key, err error) {
	algorithms := []string{alg}
	if alg == "" {
		algorithms = nil
		for _, k := range r.List() {
			if k.State != StateExpired && !slices.Contains(algorithms, k.Algorithm) {
				algorithms = append(algorithms, k.Algorithm)
			}
		}
		if len(algorithms) == 0 {
			algorithms = []string{ES256}
		}
	}
	for _, alg := range algorithms {
		key, err := r.Rotate(ctx, alg, immediately)
		if err != nil {
			return made, fmt.Errorf("rotate the %s key: %w", alg, err)
		}
		made = append(made, *key)
	}
	return made, nil
}

// rotate makes one attempt. The caller holds turn and has just read the keys.
func (r *Ring) rotate(ctx context.Context, alg string, immediately bool, actor, reason string) (*Key, error) {
	s, now := r.current.Load(), r.now()
	activates := now
	if !immediately && s.signing(alg, now) != nil {
		activates = now.Add(r.cfg.Overlap)
	}
	return r.create(ctx, alg, activates, cause{actionRotated, actor, reason})
}

// Retire removes a key from use and from the key set, which invalidates the tokens it has signed. If it is the current
// signing key, the next one replaces it at once, and is created if necessary. It returns storage.ErrNotFound for an
// unknown kid.
func (r *Ring) Retire(ctx context.Context, kid string) error {
	done, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	for range attempts {
		// Keys that can't be unsealed can be retired too, for the case that their root secret is lost.
		if err := r.load(ctx); err != nil && !errors.Is(err, ErrUnsealed) {
			return err
		}
		k := r.current.Load().byKID[kid]
		if k == nil {
			return fmt.Errorf("signing key %s: %w", kid, storage.ErrNotFound)
		}
		if err := r.succeed(ctx, k); errors.Is(err, storage.ErrExists) {
			continue
		} else if err != nil {
			return err
		}
		return r.retire(ctx, k)
	}
	return fmt.Errorf("retire signing key %s: %w", kid, storage.ErrConflict)
}

// retire also removes the row, so that a replica whose clock is behind does not use the key again. A replica that is just
// prolonging the key may overwrite its times, so retire repeats until the row is gone.
func (r *Ring) retire(ctx context.Context, k *key) error {
	for range attempts {
		now, err := r.endedBy(ctx)
		if err != nil {
			return err
		}
		audit := event(ctx, cause{actionRetired, actorOperator, "requested"}, now,
			details{KID: k.row.KID, Algorithm: k.row.Algorithm})
		err = r.cfg.Store.RetireSigningKey(ctx, k.row.KID, now, now, audit)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("retire signing key: %w", err)
		}
		if err := r.removeExpired(ctx, now); err != nil {
			return err
		}
		if r.current.Load().byKID[k.row.KID] == nil {
			return nil
		}
	}
	return fmt.Errorf("retire signing key %s: %w", k.row.KID, storage.ErrConflict)
}

// succeed ensures that another key signs when k is gone.
func (r *Ring) succeed(ctx context.Context, k *key) error {
	s, now := r.current.Load(), r.now()
	if !k.row.RetiresAt.IsZero() {
		return nil // it has a successor
	}
	signing, activates := s.signing(k.row.Algorithm, now), now
	if signing != nil && signing != k {
		activates = now.Add(r.cfg.Overlap) // k does not sign yet, so there is time to publish the next one
	}
	_, err := r.create(ctx, k.row.Algorithm, activates, cause{actionRotated, actorOperator, "retired"})
	if err != nil || activates.Equal(now) || !signing.row.RetiresAt.Before(activates) {
		return err
	}
	// The signing key was to stop when k begins.
	err = r.cfg.Store.RetireSigningKey(ctx, signing.row.KID, activates, r.expiry(activates), nil)
	if err != nil {
		return fmt.Errorf("prolong signing key: %w", err)
	}
	return nil
}

// Maintain replaces keys that are older than RotateEvery, and those that are sealed with a retired root secret, so that the
// secret can be removed; and it removes expired keys. Every replica calls it regularly; if several find a key due at the
// same time, one replaces it.
func (r *Ring) Maintain(ctx context.Context) error {
	done, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := r.load(ctx); err != nil {
		return err
	}
	for _, alg := range r.current.Load().algorithms() {
		if err := r.rotateDue(ctx, alg); err != nil {
			return err
		}
	}
	if err := r.prolong(ctx); err != nil {
		return err
	}
	now, err := r.endedBy(ctx)
	if err != nil {
		return err
	}
	return r.removeExpired(ctx, now)
}

// endedBy returns the time by which a key must have expired to be removed.
func (r *Ring) endedBy(ctx context.Context) (time.Time, error) {
	now, err := storage.Earlier(ctx, r.now(), r.cfg.Store)
	if err != nil {
		return time.Time{}, fmt.Errorf("remove signing keys: %w", err)
	}
	return now.UTC().Truncate(time.Microsecond), nil
}

func (r *Ring) rotateDue(ctx context.Context, alg string) error {
	k := r.current.Load().newest(alg)
	reason := ""
	switch {
	case !k.row.RetiresAt.IsZero():
		return nil // retired; the next use creates a new key
	case r.now().Sub(k.row.ActivatesAt) >= r.cfg.RotateEvery:
		reason = "age"
	case k.oldSecret:
		reason = "root_secret_changed"
	default:
		return nil
	}
	_, err := r.rotate(ctx, alg, false, actorServer, reason)
	if errors.Is(err, storage.ErrExists) {
		return r.load(ctx)
	}
	return err
}

// prolong extends the expiry of keys that are about to retire, if the lifetime of the tokens they sign has been raised since
// their expiry was set.
func (r *Ring) prolong(ctx context.Context) error {
	now, changed := r.now(), false
	for _, k := range r.current.Load().keys {
		if k.row.RetiresAt.IsZero() || k.retired(now) || !k.row.ExpiresAt.Before(r.expiry(k.row.RetiresAt)) {
			continue
		}
		err := r.cfg.Store.RetireSigningKey(ctx, k.row.KID, k.row.RetiresAt, r.expiry(k.row.RetiresAt), nil)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("prolong signing key: %w", err)
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return r.load(ctx)
}

// removeExpired removes expired keys and reads the rest.
func (r *Ring) removeExpired(ctx context.Context, now time.Time) error {
	if err := r.load(ctx); err != nil && !errors.Is(err, ErrUnsealed) {
		return err
	}
	var audit []*storage.AuditEvent
	for _, k := range r.current.Load().keys {
		if !k.published(now) {
			audit = append(audit, event(ctx, cause{actionRemoved, actorServer, "expired"}, now,
				details{KID: k.row.KID, Algorithm: k.row.Algorithm}))
		}
	}
	if len(audit) == 0 {
		return nil
	}
	n, err := r.cfg.Store.RemoveSigningKeys(ctx, now)
	if err != nil {
		return fmt.Errorf("remove signing keys: %w", err)
	}
	if n > 0 { // otherwise another replica was faster and has written the audit events
		if err := r.cfg.Store.AppendAudit(ctx, audit...); err != nil {
			return fmt.Errorf("remove signing keys: %w", err)
		}
	}
	if err := r.load(ctx); !errors.Is(err, ErrUnsealed) {
		return err
	}
	return nil
}

// create generates and stores the next key of an algorithm; earlier keys retire when it begins to sign. It returns
// storage.ErrExists if another process was faster.
func (r *Ring) create(ctx context.Context, alg string, activates time.Time, why cause) (*Key, error) {
	private, kid, err := generateNamed(alg, r.cfg.GenerateRSA)
	if err != nil {
		return nil, fmt.Errorf("generate a signing key: %w", err)
	}
	row := &storage.SigningKey{KID: kid, Algorithm: alg, Sequence: 1, CreatedAt: r.now(), ActivatesAt: activates}
	if activates.Before(row.CreatedAt) {
		row.ActivatesAt = row.CreatedAt // generating the key took a while
	}
	before := details{}
	if k := r.current.Load().newest(alg); k != nil {
		row.Sequence, before.Replaces = k.row.Sequence+1, k.row.KID
	}
	if row.Public, err = publicJWK(private.Public(), row.KID, alg); err != nil {
		return nil, fmt.Errorf("render a signing key: %w", err)
	}
	if row.Sealed, err = r.cfg.Root.seal(private, row.KID, alg); err != nil {
		return nil, fmt.Errorf("seal a signing key: %w", err)
	}
	audit := event(ctx, why, row.CreatedAt, details{KID: row.KID, Algorithm: alg, Replaces: before.Replaces, ActivatesAt: row.ActivatesAt})
	err = r.cfg.Store.CreateSigningKey(ctx, row, row.ActivatesAt, r.expiry(row.ActivatesAt), audit)
	if err != nil {
		return nil, fmt.Errorf("store a signing key: %w", err)
	}
	if err := r.load(ctx); err != nil && !errors.Is(err, ErrUnsealed) {
		return nil, err
	}
	s := r.current.Load()
	k := s.byKID[row.KID]
	if k == nil {
		return nil, fmt.Errorf("signing key %s: %w", row.KID, storage.ErrNotFound)
	}
	described := s.describe(k, r.now())
	return &described, nil
}

// expiry returns when a key that stops signing at retires leaves the key set, which is when its last token has expired.
func (r *Ring) expiry(retires time.Time) time.Time {
	return retires.Add(r.cfg.MaxTokenTTL() + clockSkew)
}

func (r *Ring) now() time.Time { return r.cfg.Now().UTC().Truncate(time.Microsecond) }

// details are the details of a key in an audit event.
type details struct {
	KID         string    `json:"kid"`
	Algorithm   string    `json:"alg"`
	Replaces    string    `json:"replaces,omitempty"`
	ActivatesAt time.Time `json:"activates_at,omitzero"`
}

// cause is the reason of a change, for its audit event.
type cause struct{ action, actor, reason string }

func event(ctx context.Context, why cause, now time.Time, d details) *storage.AuditEvent {
	e := storage.NewAuditEvent(why.action, why.actor, now)
	if why.actor == actorOperator {
		from := request.From(ctx)
		e.RequestID, e.Address, e.ActorID = from.ID, from.AddressText(), from.Operator
	}
	e.Reason = why.reason
	e.Details, _ = json.Marshal(d) // strings and a time: it can't fail
	return e
}
