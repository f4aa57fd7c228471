package simplejwt

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/token"
	"latchkey/storage"
)

// adopt makes a grant for a token that Django wrote, at its first use. Of parallel first uses one makes it, all find it.
func (f *Format) adopt(
	ctx context.Context, r *token.RefreshToken, t *codec.Token, c *clients.Client, p *token.Policy, now time.Time,
) (*storage.LiveGrant, error) {
	if live, err := f.adoptedBefore(ctx, r, t); live != nil || err != nil {
		return live, err
	}
	user, err := f.user(ctx, t)
	if err != nil {
		return nil, err
	}
	state, err := f.store.TokenState(ctx, t.JTI(), c.ID)
	if err != nil {
		return nil, fmt.Errorf("find out whether a token was ended: %w", err)
	}
	issued := t.IssuedAt()
	switch {
	case state.Revoked: // Django's blacklist
		return nil, protocol.InvalidGrant(reasons.Retired)
	case user == nil:
		return nil, protocol.InvalidGrant(reasons.UserRemoved)
	case !user.Active:
		return nil, protocol.InvalidGrant(reasons.UserInactive)
	// Such a token has no epoch. One that was issued before sessions were ended here is dead too.
	case endedSince(user.AuthEpoch, user.CreatedAt, issued):
		return nil, protocol.InvalidGrant(reasons.UserSessions)
	case passwordChanged(t, user):
		return nil, protocol.InvalidGrant(reasons.PasswordChanged)
	case endedSince(c.AuthEpoch, c.CreatedAt, issued):
		return nil, protocol.InvalidGrant(reasons.ClientSessions)
	}
	g := &storage.Grant{
		ID: r.Grant, ClientID: c.ID, UserID: user.ID,
		UserEpoch: user.AuthEpoch, ClientEpoch: c.AuthEpoch,
		AuthTime: issued, CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(p.Absolute),
		Current: r.ID, CurrentExpiresAt: r.ExpiresAt,
	}
	if issued.IsZero() { // the claim is optional
		g.AuthTime = now
	}
	if until := promised(t, p); until.After(g.ExpiresAt) { // a longer life than a session has here
		g.ExpiresAt = until
	}
	event := f.audit.Event(ctx, "session_adopted", "client")
	event.UserID, event.ClientID, event.GrantID, event.Outcome = g.UserID, g.ClientID, g.ID, "success"
	event = f.audit.Limited(ctx, event) // Django, or its key, makes as many such tokens as it likes
	switch err := f.store.CreateGrant(ctx, g, nil, event); {
	case err == nil:
		f.audit.Written(event)
	case !errors.Is(err, storage.ErrExists):
		return nil, fmt.Errorf("adopt a session: %w", err)
	}
	return f.store.GrantWithProfile(ctx, g.ID)
}

// adoptedBefore returns the grant that an earlier release has made for a token, or nil. Without it a token that was ended or retired
// then would begin anew.
func (f *Format) adoptedBefore(ctx context.Context, r *token.RefreshToken, t *codec.Token) (*storage.LiveGrant, error) {
	live, err := f.store.GrantWithProfile(ctx, adoptedByJTI(t.JTI()))
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("find the session of an earlier release: %w", err)
	case live.User != nil && !r.OfUser(live.User):
		return nil, nil
	}
	return live, nil
}

// user returns the user that a token identifies; nil if there is none.
func (f *Format) user(ctx context.Context, t *codec.Token) (*storage.User, error) {
	for _, subject := range t.UserIDs() {
		user, err := f.store.UserBySubject(ctx, subject)
		if err == nil {
			return user, nil
		}
		if !errors.Is(err, storage.ErrNotFound) {
			return nil, fmt.Errorf("find the user of a token: %w", err)
		}
	}
	return nil, nil
}

// owner returns the user of a token that Django wrote and that was not used here yet, while the token is good; else nil.
func (f *Format) owner(ctx context.Context, t *codec.Token) (*storage.User, error) {
	if _, ours := session(t); ours || !f.settings.Adopt {
		return nil, nil
	}
	user, err := f.user(ctx, t)
	if err != nil || user == nil || !user.Active || endedSince(user.AuthEpoch, user.CreatedAt, t.IssuedAt()) || passwordChanged(t, user) {
		return nil, err
	}
	return user, nil
}

// promised returns until when Django would have let the session of its token go on without a login.
func promised(t *codec.Token, p *token.Policy) time.Time {
	until := t.Expires()
	if last, ok := t.RefreshUntil(); ok && t.Type() == "sliding" {
		if last = last.Add(p.AccessTTL); last.After(until) { // with the token that the last refresh issues
			until = last
		}
	}
	return until
}

// endedSince reports whether an epoch was raised after the given moment. An epoch is the microsecond of the last raise; it starts at the
// creation, which ends nothing: users are brought over while their tokens are in use.
func endedSince(epoch int64, created, moment time.Time) bool {
	return epoch > created.UnixMicro() && moment.Before(time.UnixMicro(epoch))
}

// passwordChanged reports whether a token of Django's was signed before the user's password was changed: simplejwt puts an MD5 of the
// stored hash into tokens under CHECK_REVOKE_TOKEN (REVOKE_TOKEN_CLAIM).
//
// It can tell only while the stored hash is the one that came from Django. Latchkey writes PHC strings: over Django's at the user's first
// login here, which ends no session, and at a change of the password, which ends all by the epoch.
func passwordChanged(t *codec.Token, u *storage.User) bool {
	claim, ok := t.Claim("hash_password")
	if !ok || u.PasswordHash == "" || u.PasswordHash[0] == '$' {
		return false
	}
	sum := md5.Sum([]byte(u.PasswordHash))
	return claim != `"`+strings.ToUpper(hex.EncodeToString(sum[:]))+`"`
}
