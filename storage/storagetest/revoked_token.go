package storagetest

import (
	"time"

	"latchkey/storage"
)

func revokedTokens() cases {
	return cases{
		"a token is revoked once it was recorded": func(b *bundle) {
			c := b.client("app")
			want := &storage.TokenState{ClientExists: true, ClientAuthEpoch: c.AuthEpoch}
			b.state("jti-1", "app", want)
			b.ok(b.RevokeToken(b.ctx, "jti-1", b.now.Add(time.Minute), b.event("token_revoked")))
			b.state("jti-2", "app", want)
			want.Revoked = true
			b.state("jti-1", "app", want)
			b.audited("token_revoked", 1)
		},
		"recording a token again is no error": func(b *bundle) {
			for _, err := range atOnce(8, func(i int) error {
				return b.RevokeToken(b.ctx, "jti", b.now.Add(time.Duration(i)*time.Minute), nil)
			}) {
				b.ok(err)
			}
			b.state("jti", "app", &storage.TokenState{Revoked: true})
		},
		"the state tells of the client": func(b *bundle) {
			c := b.client("app")
			c.Disabled, c.AuthEpoch = true, c.AuthEpoch+7
			b.ok(b.UpdateClient(b.ctx, c, nil))
			b.state("jti", "app", &storage.TokenState{ClientExists: true, ClientDisabled: true, ClientAuthEpoch: c.AuthEpoch})
			b.ok(b.RemoveClient(b.ctx, "app", nil))
			b.state("jti", "app", &storage.TokenState{})
		},
	}
}

// state stops the case unless a token has this state.
func (b *bundle) state(jti, client string, want *storage.TokenState) {
	b.Helper()
	got, err := b.TokenState(b.ctx, jti, client)
	b.ok(err)
	b.same(got, want)
}
