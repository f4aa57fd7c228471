package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"latchkey/admin"
	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server"
	"latchkey/server/keys"
	"latchkey/storage"
)

type keyCmd struct {
	List   keyListCmd   `cmd:"" help:"List the signing keys and their states."`
	Rotate keyRotateCmd `cmd:"" help:"Replace signing keys: a new key is published first, and signs once clients have had time to fetch it."`
	Retire keyRetireCmd `cmd:"" help:"Remove a key now: the tokens that it signed are no longer valid."`
}

// ringOf reads the keys, including those that the root secret can't decrypt.
func (a *app) ringOf(ctx context.Context, store *opened) (*keys.Ring, error) {
	root, err := a.root(ctx, store)
	if err != nil {
		return nil, err
	}
	longest, err := a.longestTokenTTL(ctx, a.registryOf(store, root))
	if err != nil {
		return nil, err
	}
	ring := keys.NewRing(keys.RingConfig{
		Store: store, Root: root, Now: a.now,
		MaxTokenTTL: func() time.Duration { return longest },
	})
	if err := ring.Load(ctx); err != nil && !errors.Is(err, keys.ErrUnsealed) {
		return nil, err
	}
	return ring, nil
}

// longestTokenTTL returns how long a retired key stays in the key set of a server with this configuration.
func (a *app) longestTokenTTL(ctx context.Context, registry *registry.Registry) (time.Duration, error) {
	builtIn, err := registry.Client(ctx, clients.SimpleJWTID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return 0, err
	}
	return server.MaxTokenTTL(a.settings.Server, builtIn), nil
}

type keyListCmd struct{ keyFlags }

func (c *keyListCmd) Run(ctx context.Context, a *app) error {
	a.reading = true
	ring, err := a.keys(ctx)
	if err != nil {
		return err
	}
	return a.listKeys(c.JSON, explainedList(ring.Keys(ctx)), nil)
}

func (a *app) listKeys(asJSON bool, all iter.Seq2[admin.Key, error], err error) error {
	return list[admin.Key]{
		a, asJSON, "keys",
		[]string{"KID", "ALG", "STATE", "CREATED", "SIGNS FROM", "SIGNS UNTIL", "REMOVED FROM JWKS", "DECRYPTED"},
		func(k admin.Key) []string {
			return []string{
				k.KID, k.Algorithm, k.State, when(k.CreatedAt), when(k.ActivatesAt), when(k.RetiresAt), when(k.ExpiresAt),
				yes(k.Unsealed),
			}
		},
	}.print(all, err)
}

type keyRotateCmd struct {
	Algorithm   string `name:"alg" help:"Rotate only the key of this algorithm." enum:",ES256,EdDSA,RS256,RS384,RS512" default:"" placeholder:"ALG"`
	Immediately bool   `help:"Sign with the new key at once, because the old one may be compromised. Verifiers that cached the key set refuse its tokens until they fetch it again."`
	keyFlags
}

func (c *keyRotateCmd) Run(ctx context.Context, a *app) error {
	ring, err := a.keys(ctx)
	if err != nil {
		return err
	}
	made, err := ring.RotateKeys(ctx, admin.KeyRotation{Algorithm: c.Algorithm, Immediately: c.Immediately})
	return a.listKeys(c.JSON, each(made), explainRemote(err))
}

type keyRetireCmd struct {
	KID string `arg:"" name:"kid" help:"Id of the key, as in the list."`
	keyFlags
}

func (c *keyRetireCmd) Run(ctx context.Context, a *app) error {
	ring, err := a.keys(ctx)
	if err != nil {
		return err
	}
	_, err = ring.RetireKey(ctx, c.KID)
	switch err = explainRemote(err); {
	case errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("there is no key %q. List the keys with `latchkey key list`", c.KID)
	case err != nil:
		return err
	}
	return a.confirm(c.JSON, map[string]string{"kid": c.KID, "state": string(keys.StateExpired)},
		"retired key %s; the tokens that it signed are no longer valid", c.KID)
}
