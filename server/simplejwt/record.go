package simplejwt

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/token"
	"latchkey/storage"
)

// recording reports whether the tokens that Django would accept are recorded, for its blacklist.
func (f *Format) recording(now time.Time) bool { return f.settings.Record && f.adopting(now) }

// record stores, before an answer, the refresh token in it and the one that was presented, and which others of the session are retired: on a
// way back Django knows no chain, only single tokens.
func (f *Format) record(ctx context.Context, c *token.Content) error {
	if !f.recording(c.IssuedAt) {
		return nil
	}
	next := c.Next
	tokens := []storage.IssuedToken{{
		JTI: hex.EncodeToString(next.ID[:]), GrantID: next.Grant, Generation: next.Generation, IssuedAt: c.IssuedAt, ExpiresAt: next.ExpiresAt,
	}}
	current := hex.EncodeToString(c.Grant.Current[:])
	if old := source(c.Presented); old != nil {
		tokens = append(tokens, issued(old, c.Presented, c.IssuedAt))
		if c.Presented.ID == c.Grant.Current {
			current = old.JTI() // of another issuer, it may have another form
		}
	}
	var retired *storage.RetiredTokens
	if c.Presented != nil && c.Policy.Rotation != clients.RotationOff && c.Policy.Rotation != clients.RotationReissue {
		retired = &storage.RetiredTokens{GrantID: next.Grant, Generation: c.Grant.Generation, Current: current, At: c.IssuedAt.Add(c.Policy.Overlap)}
	}
	if err := f.store.RecordIssuedTokens(ctx, tokens, retired); err != nil {
		return fmt.Errorf("record a token for Django's blacklist: %w", err)
	}
	return nil
}

// recordSliding stores the one token that a session of this kind has.
func (f *Format) recordSliding(ctx context.Context, c *token.Content) error {
	if !f.recording(c.IssuedAt) {
		return nil
	}
	jti := hex.EncodeToString(c.Grant.Current[:])
	if old := source(c.Presented); old != nil {
		jti = old.JTI()
	}
	t := storage.IssuedToken{JTI: jti, GrantID: c.Grant.ID, IssuedAt: c.IssuedAt, ExpiresAt: c.Grant.ExpiresAt}
	if err := f.store.RecordIssuedTokens(ctx, []storage.IssuedToken{t}, nil); err != nil {
		return fmt.Errorf("record a sliding token for Django's blacklist: %w", err)
	}
	return nil
}

// recordPresented stores a token that ends its session now, which Django may have written a moment ago.
func (f *Format) recordPresented(ctx context.Context, r *token.RefreshToken, now time.Time) error {
	old := source(r)
	if old == nil || !f.recording(now) {
		return nil
	}
	if err := f.store.RecordIssuedTokens(ctx, []storage.IssuedToken{issued(old, r, now)}, nil); err != nil {
		return fmt.Errorf("record a token for Django's blacklist: %w", err)
	}
	return nil
}

func issued(t *codec.Token, r *token.RefreshToken, now time.Time) storage.IssuedToken {
	return storage.IssuedToken{JTI: t.JTI(), GrantID: r.Grant, Generation: r.Generation, IssuedAt: now, ExpiresAt: t.Expires()}
}
