package keys

import (
	"encoding/json"
	"time"
)

// KeyState is the state of a key.
type KeyState string

// The states, in the order in which a key goes through them.
const (
	StatePublished KeyState = "published" // in the key set, does not sign yet
	StateActive    KeyState = "active"    // signs
	StateRetired   KeyState = "retired"   // in the key set, does not sign any more
	StateExpired   KeyState = "expired"   // not in the key set
)

// Key describes a signing key for operators.
type Key struct {
	KID         string          `json:"kid"`
	Algorithm   string          `json:"alg"`
	State       KeyState        `json:"state"`
	Sequence    int64           `json:"sequence"`
	CreatedAt   time.Time       `json:"created_at"`
	ActivatesAt time.Time       `json:"activates_at"`
	RetiresAt   time.Time       `json:"retires_at,omitzero"`
	ExpiresAt   time.Time       `json:"expires_at,omitzero"`
	Public      json.RawMessage `json:"jwk"`
	// Unsealed is false if this process does not have the root secret that sealed the key.
	Unsealed bool `json:"unsealed"`
	// OldSecret is true if the key is sealed with a retired root secret.
	OldSecret bool `json:"needs_previous_secret"`
}

// List returns descriptions of all loaded keys, by algorithm and age.
func (r *Ring) List() []Key {
	s, now := r.current.Load(), r.cfg.Now()
	list := make([]Key, 0, len(s.keys))
	for _, k := range s.keys {
		list = append(list, s.describe(k, now))
	}
	return list
}

func (s *snapshot) describe(k *key, now time.Time) Key {
	state := StatePublished
	switch {
	case !k.published(now):
		state = StateExpired
	case s.signing(k.row.Algorithm, now) == k:
		state = StateActive
	case k.activated(now) || k.retired(now):
		state = StateRetired
	}
	return Key{
		KID: k.row.KID, Algorithm: k.row.Algorithm, State: state, Sequence: k.row.Sequence,
		CreatedAt: k.row.CreatedAt, ActivatesAt: k.row.ActivatesAt, RetiresAt: k.row.RetiresAt, ExpiresAt: k.row.ExpiresAt,
		Public: k.jwk, Unsealed: k.signer != nil, OldSecret: k.oldSecret,
	}
}
