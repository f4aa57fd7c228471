package registry

import (
	"context"

	"latchkey/clients"
	"latchkey/storage"
)

// HasOrigin reports whether an origin, as browsers write it (RFC 6454 §6.2), is that of a redirect URI of an enabled client. The
// origin of a loopback redirect URI has any port. It is false for an origin that is not in memory while the database is unavailable.
func (r *Registry) HasOrigin(ctx context.Context, origin string) bool {
	key, ok := clients.OriginKey(origin)
	if !ok {
		return false
	}
	if r.origins.known.Contains(key) {
		return true
	}
	known, err := r.origins.load(ctx, key)
	return err == nil && known
}

func (r *Registry) readOrigin(ctx context.Context, key string) (bool, error) {
	known, err := r.cfg.Store.ClientHasOrigin(ctx, key)
	if err == nil && !known {
		err = storage.ErrNotFound
	}
	return known, err
}
