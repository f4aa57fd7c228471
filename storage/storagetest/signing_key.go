package storagetest

import (
	"encoding/json"
	"fmt"
	"time"

	"latchkey/storage"
)

func signingKeys() cases {
	return cases{
		"a key comes back as stored": func(b *bundle) {
			k := newKey("ES256", 1, b.now)
			k.Sealed, k.Public = []byte{0, 1, 0xff}, json.RawMessage(`{"kty":"EC","x":"abc"}`)
			k.ActivatesAt, k.RetiresAt, k.ExpiresAt = b.now.Add(time.Hour), b.now.Add(2*time.Hour), b.now.Add(3*time.Hour)
			b.ok(b.CreateSigningKey(b.ctx, k, time.Time{}, time.Time{}, b.event("key_created")))
			k.CreatedAt, k.ActivatesAt, k.RetiresAt, k.ExpiresAt = kept(k.CreatedAt), kept(k.ActivatesAt), kept(k.RetiresAt), kept(k.ExpiresAt)
			b.keys(k)
			b.audited("key_created", 1)
		},
		"a new key retires those of its algorithm that are not retired yet": func(b *bundle) {
			retired, es1, ed1 := newKey("ES256", 1, b.now), newKey("ES256", 2, b.now), newKey("EdDSA", 1, b.now)
			retired.RetiresAt, retired.ExpiresAt = b.now.Add(time.Minute), b.now.Add(2*time.Minute)
			for _, k := range []*storage.SigningKey{retired, es1, ed1} {
				b.ok(b.CreateSigningKey(b.ctx, k, time.Time{}, time.Time{}, nil))
			}
			es2 := newKey("ES256", 3, b.now)
			retire, expire := b.now.Add(time.Hour), b.now.Add(2*time.Hour)
			b.ok(b.CreateSigningKey(b.ctx, es2, retire, expire, nil))
			es1.RetiresAt, es1.ExpiresAt = kept(retire), kept(expire)
			retired.RetiresAt, retired.ExpiresAt = kept(retired.RetiresAt), kept(retired.ExpiresAt)
			for _, k := range []*storage.SigningKey{retired, es1, es2, ed1} {
				k.CreatedAt, k.ActivatesAt = kept(k.CreatedAt), kept(k.ActivatesAt)
			}
			b.keys(retired, es1, es2, ed1)
		},
		"of parallel creations with one sequence number exactly one succeeds": func(b *bundle) {
			first := newKey("ES256", 1, b.now)
			b.ok(b.CreateSigningKey(b.ctx, first, time.Time{}, time.Time{}, nil))
			retire := func(i int) time.Time { return kept(b.now.Add(time.Duration(i+1) * time.Hour)) }
			winner := b.oneWins(atOnce(12, func(i int) error {
				k := newKey("ES256", 2, b.now)
				k.KID = fmt.Sprint("racer ", i)
				return b.CreateSigningKey(b.ctx, k, retire(i), retire(i).Add(time.Hour), b.event("key_created"))
			}), storage.ErrExists)
			list, err := b.ListSigningKeys(b.ctx)
			b.ok(err)
			if len(list) != 2 || list[1].KID != fmt.Sprint("racer ", winner) {
				b.Fatalf("%d keys", len(list))
			}
			if !list[0].RetiresAt.Equal(retire(winner)) || !list[0].ExpiresAt.Equal(retire(winner).Add(time.Hour)) {
				b.Errorf("the first key retires at %v, the winner said %v", list[0].RetiresAt, retire(winner))
			}
			b.audited("key_created", 1)
		},
		"a taken KID or sequence number changes nothing": func(b *bundle) {
			first := newKey("ES256", 1, b.now)
			b.ok(b.CreateSigningKey(b.ctx, first, time.Time{}, time.Time{}, nil))
			sameKID, sameSequence := newKey("ES256", 2, b.now), newKey("ES256", 1, b.now)
			sameKID.KID, sameSequence.KID = first.KID, "other"
			for _, k := range []*storage.SigningKey{sameKID, sameSequence} {
				b.is(b.CreateSigningKey(b.ctx, k, b.now, b.now, b.event("key_created")), storage.ErrExists)
			}
			first.CreatedAt, first.ActivatesAt = kept(first.CreatedAt), kept(first.ActivatesAt)
			b.keys(first)
			b.audited("key_created", 0)
		},
		"a sequence number is one per algorithm": func(b *bundle) {
			for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
				b.ok(b.CreateSigningKey(b.ctx, newKey(alg, 1, b.now), time.Time{}, time.Time{}, nil))
			}
			list, err := b.ListSigningKeys(b.ctx)
			b.ok(err)
			var algs []string
			for _, k := range list {
				algs = append(algs, k.Algorithm)
			}
			b.same(algs, []string{"ES256", "EdDSA", "RS256"})
		},
		"retiring a key sets its times": func(b *bundle) {
			k := newKey("ES256", 1, b.now)
			b.ok(b.CreateSigningKey(b.ctx, k, time.Time{}, time.Time{}, nil))
			b.ok(b.RetireSigningKey(b.ctx, k.KID, b.now.Add(time.Hour), b.now.Add(2*time.Hour), b.event("key_retired")))
			k.CreatedAt, k.ActivatesAt = kept(k.CreatedAt), kept(k.ActivatesAt)
			k.RetiresAt, k.ExpiresAt = kept(b.now.Add(time.Hour)), kept(b.now.Add(2*time.Hour))
			b.keys(k)
			b.is(b.RetireSigningKey(b.ctx, "unknown", b.now, b.now, b.event("key_retired")), storage.ErrNotFound)
			b.audited("key_retired", 1)
		},
		"only keys that have expired are removed": func(b *bundle) {
			stays, undecided, gone := newKey("ES256", 1, b.now), newKey("ES256", 2, b.now), newKey("ES256", 3, b.now)
			stays.RetiresAt, stays.ExpiresAt = b.now, kept(b.now.Add(time.Hour))
			gone.RetiresAt, gone.ExpiresAt = b.now, b.now
			undecided.RetiresAt = time.Time{}
			for _, k := range []*storage.SigningKey{undecided, stays, gone} {
				b.ok(b.CreateSigningKey(b.ctx, k, time.Time{}, time.Time{}, nil))
			}
			for _, want := range []int{1, 0} {
				n, err := b.RemoveSigningKeys(b.ctx, b.now)
				b.ok(err)
				if n != want {
					b.Errorf("removed %d, want %d", n, want)
				}
			}
			list, err := b.ListSigningKeys(b.ctx)
			b.ok(err)
			if len(list) != 2 || list[0].KID != stays.KID || list[1].KID != undecided.KID {
				b.Errorf("%d keys are left", len(list))
			}
		},
	}
}

func newKey(alg string, sequence int64, now time.Time) *storage.SigningKey {
	return &storage.SigningKey{
		KID: fmt.Sprintf("%s-%d", alg, sequence), Algorithm: alg, Sequence: sequence, Sealed: []byte("sealed"),
		Public: json.RawMessage(`{}`), CreatedAt: now, ActivatesAt: now,
	}
}

// keys stops the case unless these are the keys.
func (b *bundle) keys(want ...*storage.SigningKey) {
	b.Helper()
	got, err := b.ListSigningKeys(b.ctx)
	b.ok(err)
	b.same(got, want)
}
