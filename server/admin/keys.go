package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"

	wire "latchkey/admin"
	"latchkey/server/keys"
)

// keyRoutes declares the operations on the keys that sign tokens.
func (a *API) keyRoutes() {
	register(a, op("list-keys", http.MethodGet, "/keys", scopeKeysRead, "List the keys that sign tokens, without their private parts"), a.listKeys)
	register(a, op("rotate-keys", http.MethodPost, "/keys/rotate", scopeKeysWrite,
		"Replace keys: a new key is published first, and signs once clients have had time to fetch it", http.StatusConflict), a.rotateKeys)
	register(a, op("retire-key", http.MethodPost, "/keys/{kid}/retire", scopeKeysWrite, "Remove a key now: the tokens that it signed are no longer valid",
		http.StatusNotFound, http.StatusConflict), a.retireKey)
}

// KeyPath is the parameter that names a key.
type KeyPath struct {
	KID string `path:"kid" maxLength:"255" doc:"The id of the key."`
}

func viewKey(k keys.Key) wire.Key {
	return wire.Key{
		KID: k.KID, Algorithm: k.Algorithm, State: string(k.State), Sequence: k.Sequence, CreatedAt: k.CreatedAt, ActivatesAt: k.ActivatesAt,
		RetiresAt: k.RetiresAt, ExpiresAt: k.ExpiresAt, Public: k.Public, Unsealed: k.Unsealed, OldSecret: k.OldSecret,
	}
}

func (a *API) listKeys(_ context.Context, in *struct{ Paging }) (*listed[wire.Key], error) {
	read := func(after string, limit int) ([]keys.Key, error) {
		all := slices.SortedFunc(slices.Values(a.Keys.List()), func(a, b keys.Key) int { return strings.Compare(place(a), place(b)) })
		return part(all, place, after, limit), nil
	}
	return list(a, in.Paging, struct{ Keys bool }{}, read, place, plain(viewKey))
}

// place returns a text by which keys are in the order of the list: by algorithm and age.
func place(k keys.Key) string {
	return k.Algorithm + " " + k.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000000") + " " + k.KID
}

func (a *API) rotateKeys(ctx context.Context, in *struct{ Body wire.KeyRotation }) (*listed[wire.Key], error) {
	made, err := a.Keys.RotateAll(ctx, in.Body.Algorithm, in.Body.Immediately)
	if err != nil {
		return nil, err
	}
	out := &listed[wire.Key]{}
	for _, k := range made {
		out.Body.Items = append(out.Body.Items, viewKey(k))
	}
	return out, nil
}

func (a *API) retireKey(ctx context.Context, in *struct {
	KeyPath
	Trial
},
) (*shown[wire.Key], error) {
	all := a.Keys.List()
	i := slices.IndexFunc(all, func(k keys.Key) bool { return k.KID == in.KID })
	if i < 0 {
		return nil, errNotFound("key")
	}
	out := &shown[wire.Key]{viewKey(all[i])}
	out.Body.State = string(keys.StateExpired)
	if in.DryRun {
		return out, nil
	}
	return out, orNotFound(a.Keys.Retire(ctx, in.KID), "key")
}
