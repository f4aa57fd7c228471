package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alecthomas/kong"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server"
	"latchkey/server/keys"
	"latchkey/storage"
)

type keyCmd struct {
	List   keyListCmd   `cmd:"" help:"List the signing keys and where they are in their life."`
	Rotate keyRotateCmd `cmd:"" help:"Replace a signing key: the new one is published first, and signs when clients have had time to see it."`
	Retire keyRetireCmd `cmd:"" help:"Take a key away now: the tokens that it signed are dead."`
}

// ring opens the database and reads the keys. Keys that the root secret does not open are read too.
func (a *app) ring(ctx context.Context) (*keys.Ring, *opened, error) {
	store, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	ring, err := a.ringOf(ctx, store)
	if err != nil {
		store.Close()
		return nil, nil, err
	}
	return ring, store, nil
}

func (a *app) ringOf(ctx context.Context, store *opened) (*keys.Ring, error) {
	root, err := a.root()
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

// longestTokenTTL is what a server of this configuration reckons with: a key stays in the key set that long.
func (a *app) longestTokenTTL(ctx context.Context, registry *registry.Registry) (time.Duration, error) {
	builtIn, err := registry.Client(ctx, clients.SimpleJWTID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return 0, err
	}
	return server.MaxTokenTTL(a.settings.server, builtIn), nil
}

type keyListCmd struct {
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *keyListCmd) Run(ctx context.Context, a *app) error {
	ring, store, err := a.ring(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	return a.listKeys(ring.List(), c.JSON)
}

func (a *app) listKeys(all []keys.Key, asJSON bool) error {
	headings := []string{"KID", "ALG", "STATE", "CREATED", "SIGNS FROM", "SIGNS UNTIL", "LEAVES KEY SET", "OPENS"}
	l := listing(a, asJSON, "keys", headings, func(k keys.Key) []string {
		return []string{
			k.KID, k.Algorithm, string(k.State), when(k.CreatedAt), when(k.ActivatesAt), when(k.RetiresAt), when(k.ExpiresAt),
			yes(k.Unsealed),
		}
	})
	for _, k := range all {
		if err := l.add(k); err != nil {
			return err
		}
	}
	return l.end()
}

type keyRotateCmd struct {
	Algorithm   string       `name:"alg" help:"Rotate the key of this algorithm only." enum:",ES256,EdDSA,RS256,RS384,RS512" default:"" placeholder:"ALG"`
	Immediately bool         `help:"Let the new key sign at once, when the old one is not to be trusted. Verifiers that cached the key set refuse its tokens until they ask again."`
	JSON        bool         `help:"Print JSON."`
	Options     kong.Plugins `embed:""`
}

func (c *keyRotateCmd) Run(ctx context.Context, a *app) error {
	ring, store, err := a.ring(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	var made []keys.Key
	for _, alg := range c.algorithms(ring) {
		key, err := ring.Rotate(ctx, alg, c.Immediately)
		if err != nil {
			return fmt.Errorf("rotate the %s key: %w", alg, err)
		}
		made = append(made, *key)
	}
	return a.listKeys(made, c.JSON)
}

// algorithms are the one asked for, or those that have a key, or the one that is used by default.
func (c *keyRotateCmd) algorithms(ring *keys.Ring) []string {
	if c.Algorithm != "" {
		return []string{c.Algorithm}
	}
	var algorithms []string
	for _, k := range ring.List() {
		if k.State != keys.StateExpired && !slices.Contains(algorithms, k.Algorithm) {
			algorithms = append(algorithms, k.Algorithm)
		}
	}
	if len(algorithms) == 0 {
		return []string{keys.ES256}
	}
	return algorithms
}

type keyRetireCmd struct {
	KID     string       `arg:"" name:"kid" help:"The key's id, as the list shows it."`
	JSON    bool         `help:"Print JSON."`
	Options kong.Plugins `embed:""`
}

func (c *keyRetireCmd) Run(ctx context.Context, a *app) error {
	ring, store, err := a.ring(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	err = ring.Retire(ctx, c.KID)
	if errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("there is no key %q. `latchkey key list` shows them", c.KID)
	}
	if err != nil {
		return err
	}
	return a.confirm(c.JSON, map[string]string{"kid": c.KID, "state": string(keys.StateExpired)},
		"key %s is retired; the tokens that it signed are dead", c.KID)
}
