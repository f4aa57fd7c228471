package main

import (
	"context"
	"iter"

	"latchkey/admin"
	"latchkey/server/keys"
)

// localKeys changes keys on the database.
type localKeys struct{ ring *keys.Ring }

func (l localKeys) Keys(context.Context) iter.Seq2[admin.Key, error] {
	return each(keysOf(l.ring.List()))
}

func (l localKeys) RotateKeys(ctx context.Context, r admin.KeyRotation) ([]admin.Key, error) {
	made, err := l.ring.RotateAll(ctx, r.Algorithm, r.Immediately)
	return keysOf(made), err
}

func (l localKeys) RetireKey(ctx context.Context, kid string, _ ...admin.Option) (*admin.Key, error) {
	return nil, l.ring.Retire(ctx, kid)
}

// keysOf returns keys as the API shows them.
func keysOf(all []keys.Key) []admin.Key {
	out := make([]admin.Key, len(all))
	for i, k := range all {
		out[i] = admin.Key{
			KID: k.KID, Algorithm: k.Algorithm, State: string(k.State), Sequence: k.Sequence, CreatedAt: k.CreatedAt, ActivatesAt: k.ActivatesAt,
			RetiresAt: k.RetiresAt, ExpiresAt: k.ExpiresAt, Public: k.Public, Unsealed: k.Unsealed, OldSecret: k.OldSecret,
		}
	}
	return out
}
