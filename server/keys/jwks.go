package keys

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// jwksMaxAge is how long the key set may be cached at most.
const jwksMaxAge = 5 * time.Minute

// JWKS returns the key set (RFC 7517 §5): the public keys that have not expired, including those that do not sign yet.
// Callers must not change body. maxAge is how long it may be cached; a new key is published for longer than that before it
// signs.
func (r *Ring) JWKS() (body []byte, etag string, maxAge time.Duration) {
	s, now := r.current.Load(), r.cfg.Now()
	set := s.set.Load()
	if set == nil || !set.holds(now) {
		set = s.render(now, r.cfg.Published)
		s.set.Store(set)
	}
	return set.body, set.etag, min(jwksMaxAge, r.cfg.Overlap/2)
}

func (s *snapshot) render(now time.Time, more []json.RawMessage) *keySet {
	set := &keySet{body: []byte(`{"keys":[`)}
	add := func(jwk json.RawMessage) {
		if set.body[len(set.body)-1] != '[' {
			set.body = append(set.body, ',')
		}
		set.body = append(set.body, jwk...)
	}
	for _, k := range s.keys {
		end := k.row.ExpiresAt
		if !k.published(now) {
			if end.After(set.from) {
				set.from = end
			}
			continue
		}
		if !end.IsZero() && (set.until.IsZero() || end.Before(set.until)) {
			set.until = end
		}
		add(k.jwk)
	}
	for _, jwk := range more {
		add(jwk)
	}
	set.body = append(set.body, "]}"...)
	sum := sha256.Sum256(set.body)
	set.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return set
}
