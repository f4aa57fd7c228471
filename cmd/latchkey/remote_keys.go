package main

import (
	"context"

	"latchkey/admin"
	"latchkey/server/keys"
)

// remoteKeys changes keys through the API.
type remoteKeys struct {
	api *admin.API
	all []keys.Key
}

// remoteKeys reads the keys.
func (a *app) remoteKeys(ctx context.Context) (remoteKeys, error) {
	api, err := a.api(ctx)
	r := remoteKeys{api: api}
	if err != nil {
		return r, err
	}
	for k, err := range api.Keys(ctx) {
		if err != nil {
			return r, explainRemote(err)
		}
		r.all = append(r.all, keyOf(k))
	}
	return r, nil
}

func keyOf(k admin.Key) keys.Key {
	return keys.Key{
		KID: k.KID, Algorithm: k.Algorithm, State: keys.KeyState(k.State), Sequence: k.Sequence, CreatedAt: k.CreatedAt, ActivatesAt: k.ActivatesAt,
		RetiresAt: k.RetiresAt, ExpiresAt: k.ExpiresAt, Public: k.Public, Unsealed: k.Unsealed, OldSecret: k.OldSecret,
	}
}

func (r remoteKeys) List() []keys.Key { return r.all }

func (r remoteKeys) RotateAll(ctx context.Context, alg string, immediately bool) ([]keys.Key, error) {
	made, err := r.api.RotateKeys(ctx, admin.KeyRotation{Algorithm: alg, Immediately: immediately})
	if err != nil {
		return nil, explainRemote(err)
	}
	out := make([]keys.Key, len(made))
	for i, k := range made {
		out[i] = keyOf(k)
	}
	return out, nil
}

func (r remoteKeys) Retire(ctx context.Context, kid string) error {
	_, err := r.api.RetireKey(ctx, kid)
	return explainRemote(err)
}
