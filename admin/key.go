package admin

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// Key is a key that signs tokens, without its private part.
type Key struct {
	KID         string          `json:"kid"`
	Algorithm   string          `json:"alg"`
	State       string          `json:"state" doc:"published, active, retired or expired."`
	Sequence    int64           `json:"sequence"`
	CreatedAt   time.Time       `json:"created_at"`
	ActivatesAt time.Time       `json:"activates_at" doc:"When it begins to sign."`
	RetiresAt   time.Time       `json:"retires_at,omitzero" doc:"When it stops signing."`
	ExpiresAt   time.Time       `json:"expires_at,omitzero" doc:"When it leaves the key set."`
	Public      json.RawMessage `json:"jwk" doc:"The public key (RFC 7517)."`
	Unsealed    bool            `json:"unsealed" doc:"Whether the server that answers can use it: it has the root secret that sealed the key."`
	OldSecret   bool            `json:"needs_previous_secret" doc:"Whether it is sealed with a retired root secret."`
}

// KeyRotation says which keys to replace, and how.
type KeyRotation struct {
	Algorithm   string `json:"alg,omitempty" enum:"ES256,EdDSA,RS256,RS384,RS512" doc:"Replace only the key of this algorithm; by default of each one that has a key."`
	Immediately bool   `json:"immediately,omitempty" doc:"Sign with the new key at once, because the old one may be compromised. Verifiers that cached the key set refuse its tokens until they fetch it again."`
}

// Keys lists the keys that sign tokens, by algorithm and age.
func (a *API) Keys(ctx context.Context) iter.Seq2[Key, error] {
	return list[Key](ctx, a, "/keys", nil)
}

// RotateKeys replaces keys, and returns the new ones.
func (a *API) RotateKeys(ctx context.Context, r KeyRotation) ([]Key, error) {
	p, err := one[page[Key]](ctx, a, newCall(http.MethodPost, "/keys/rotate", r))
	if err != nil {
		return nil, err
	}
	return p.Items, nil
}

// RetireKey removes a key now: the tokens that it signed are no longer valid.
func (a *API) RetireKey(ctx context.Context, kid string, o ...Option) (*Key, error) {
	return one[Key](ctx, a, newCall(http.MethodPost, "/keys"+segment(kid)+"/retire", nil, o...))
}
