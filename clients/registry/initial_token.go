package registry

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/storage"
)

// InitialToken is an initial access token (RFC 7591 §1.2) that an operator hands to a developer.
type InitialToken struct {
	Name string
	// Uses is how many clients may be registered with it; negative means without limit.
	Uses int
	// TTL is how long it is valid.
	TTL time.Duration
	// Policy is that of the clients. A client that registers itself can't get a policy in any other way.
	Policy clients.Policy
}

// maxInitialTTL bounds the life of an initial access token.
const maxInitialTTL = 10 * 365 * 24 * time.Hour

// AddInitialToken creates an initial access token and returns it; it is not shown again. A *clients.MetadataError says what is
// wrong.
func (r *Registry) AddInitialToken(ctx context.Context, t InitialToken) (*storage.RegistrationToken, storage.Secret, error) {
	_, policy, err := clients.Validate(clients.Metadata{GrantTypes: []string{clients.GrantClientCredentials}}, t.Policy)
	if err != nil {
		return nil, "", err
	}
	if err := clients.CheckText(t.Name); err != nil {
		return nil, "", clients.Invalid("name", "%v", err)
	}
	switch {
	case t.Uses == 0:
		return nil, "", clients.Invalid("uses", "it must be at least 1; a negative number means without limit")
	case t.TTL <= 0 || t.TTL > maxInitialTTL:
		return nil, "", clients.Invalid("ttl", "%s is not from 1s to %s", clients.Duration(t.TTL), clients.Duration(maxInitialTTL))
	}
	encoded, err := json.Marshal(policy)
	if err != nil {
		return nil, "", fmt.Errorf("add registration token: %w", err)
	}
	now, secret := r.now(), clients.NewSecret(initialTokenPrefix)
	row := &storage.RegistrationToken{
		ID: storage.NewID(now), Hash: initialTokenHash(secret), Name: t.Name, Uses: t.Uses, Policy: encoded, CreatedAt: now, ExpiresAt: now.Add(t.TTL),
	}
	event := r.eventOf(ctx, "registration_token_added", "", details{Token: row.ID.String()})
	if err := r.cfg.Store.CreateRegistrationToken(ctx, row, event); err != nil {
		return nil, "", fmt.Errorf("add registration token: %w", err)
	}
	return row, secret, nil
}

// ErrInitialToken reports that the initial access token is missing, unknown, expired or used up: 401.
var ErrInitialToken = errors.New("no valid initial access token")

// initialPolicy returns the policy of clients that are registered with a token. ErrInitialToken.
func (r *Registry) initialPolicy(ctx context.Context, secret storage.Secret) (policy clients.Policy, err error) {
	row, err := r.cfg.Store.RegistrationToken(ctx, initialTokenHash(secret), r.now())
	if isNotFound(err) {
		return policy, ErrInitialToken
	}
	if err != nil {
		return policy, fmt.Errorf("read registration token: %w", err)
	}
	if len(row.Policy) > 0 {
		err = json.Unmarshal(row.Policy, &policy)
	}
	if err != nil {
		err = fmt.Errorf("policy of registration token %s: %w", row.ID, err)
	}
	return policy, err
}

// InitialTokens returns up to limit tokens by ascending ID, including used up ones.
func (r *Registry) InitialTokens(ctx context.Context, after storage.ID, limit int) ([]*storage.RegistrationToken, error) {
	list, err := r.cfg.Store.ListRegistrationTokens(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list registration tokens: %w", err)
	}
	return list, nil
}

// RemoveInitialToken invalidates a token; the clients that were registered with it stay. storage.ErrNotFound.
func (r *Registry) RemoveInitialToken(ctx context.Context, id storage.ID) error {
	event := r.eventOf(ctx, "registration_token_removed", "", details{Token: id.String()})
	if err := r.cfg.Store.RemoveRegistrationToken(ctx, id, event); err != nil {
		return fmt.Errorf("remove registration token: %w", err)
	}
	return nil
}

// initialTokenHash returns what is stored of a token. It needs no key: 256 random bits can't be guessed.
func initialTokenHash(secret storage.Secret) storage.Digest {
	return sha256.Sum256([]byte(secret.Reveal()))
}
