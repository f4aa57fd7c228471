package clients

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"latchkey/storage"
)

// InitialToken is an initial access token (RFC 7591 §1.2) that an operator gives to a developer.
type InitialToken struct {
	Name string
	// Uses is how many clients may be registered with it; negative = without limit.
	Uses int
	// TTL is how long it is good.
	TTL time.Duration
	// Policy is what the clients get. It is the only way for one that registers itself to have a policy.
	Policy Policy
}

// maxInitialTTL bounds the life of an initial access token.
const maxInitialTTL = 10 * 365 * 24 * time.Hour

// AddInitialToken makes an initial access token and gives it, which is shown nowhere else and never again. A
// *MetadataError says what is wrong.
func (r *Registry) AddInitialToken(ctx context.Context, t InitialToken) (*storage.RegistrationToken, storage.Secret, error) {
	for _, check := range [...]func(*Metadata, *Policy) *MetadataError{checkPolicy, checkLifetimes} {
		if err := check(&Metadata{}, &t.Policy); err != nil {
			return nil, "", err
		}
	}
	if err := checkText(t.Name); err != nil {
		return nil, "", invalid("name", "%v", err)
	}
	switch {
	case t.Uses == 0:
		return nil, "", invalid("uses", "it must be at least 1; a negative number means without limit")
	case t.TTL <= 0 || t.TTL > maxInitialTTL:
		return nil, "", invalid("ttl", "%s is not from 1s to %s", Duration(t.TTL), Duration(maxInitialTTL))
	}
	policy, err := json.Marshal(t.Policy)
	if err != nil {
		return nil, "", fmt.Errorf("add registration token: %w", err)
	}
	now, secret := r.now(), NewSecret(initialAccessPrefix)
	row := &storage.RegistrationToken{
		ID: storage.NewID(now), Hash: initialTokenHash(secret), Name: t.Name, Uses: t.Uses, Policy: policy, CreatedAt: now, ExpiresAt: now.Add(t.TTL),
	}
	event := r.event("registration_token_added", "", "", details{Token: row.ID.String()})
	if err := r.cfg.Store.CreateRegistrationToken(ctx, row, event); err != nil {
		return nil, "", fmt.Errorf("add registration token: %w", err)
	}
	return row, secret, nil
}

// useInitialToken takes one use of a token and gives the policy of what is registered with it.
func (r *Registry) useInitialToken(ctx context.Context, secret storage.Secret) (policy Policy, err error) {
	row, err := r.cfg.Store.UseRegistrationToken(ctx, initialTokenHash(secret), r.now())
	if isNotFound(err) {
		return policy, ErrInitialToken
	}
	if err != nil {
		return policy, fmt.Errorf("use registration token: %w", err)
	}
	if len(row.Policy) > 0 {
		err = json.Unmarshal(row.Policy, &policy)
	}
	if err != nil {
		err = fmt.Errorf("policy of registration token %s: %w", row.ID, err)
	}
	return policy, err
}

// InitialTokens gives up to limit tokens by ascending ID, used up ones too.
func (r *Registry) InitialTokens(ctx context.Context, after storage.ID, limit int) ([]*storage.RegistrationToken, error) {
	list, err := r.cfg.Store.ListRegistrationTokens(ctx, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list registration tokens: %w", err)
	}
	return list, nil
}

// RemoveInitialToken makes a token good for nothing; the clients that it made stay. storage.ErrNotFound.
func (r *Registry) RemoveInitialToken(ctx context.Context, id storage.ID) error {
	event := r.event("registration_token_removed", "", "", details{Token: id.String()})
	if err := r.cfg.Store.RemoveRegistrationToken(ctx, id, event); err != nil {
		return fmt.Errorf("remove registration token: %w", err)
	}
	return nil
}

// initialTokenHash is what is kept of a token. It needs no key: nobody guesses 256 random bits.
func initialTokenHash(secret storage.Secret) storage.Digest {
	return sha256.Sum256([]byte(secret.Reveal()))
}
