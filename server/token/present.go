package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/legacyjwt"
	"latchkey/storage"
)

// present reads the refresh token of the request in the client's form and makes sure that it is authentic.
func (x *exchange) present(ctx context.Context, raw storage.Secret) error {
	if x.client.ID == clients.SimpleJWTID {
		want := "refresh"
		if x.sliding {
			want = "sliding"
		}
		legacy, err := x.s.readLegacy(ctx, raw, want, x.now)
		if err != nil {
			return err
		}
		x.legacy = legacy
		x.presented, err = x.s.fromLegacy(legacy)
		return err
	}
	t, reason := x.s.refresh.decode(raw)
	if reason != ReasonNone {
		return invalidGrant(reason)
	}
	x.presented = t
	return nil
}

// readLegacy reads an authentic, unexpired token in simplejwt's form, of the wanted type ("" for any). A sliding token that
// is wanted as such must be one that can still be refreshed.
func (s *Service) readLegacy(ctx context.Context, raw storage.Secret, want string, now time.Time) (*legacyjwt.Token, error) {
	t, err := s.codec.Parse(ctx, raw.Reveal(), now)
	if err == nil {
		err = s.codec.Check(t, want)
	}
	if err == nil && want == "sliding" {
		err = s.codec.CheckRefreshable(t, now)
	}
	if err == nil {
		return t, nil
	}
	var invalid *legacyjwt.Invalid
	if !errors.As(err, &invalid) {
		return nil, fmt.Errorf("read a token: %w", err)
	}
	e := invalidGrant(legacyReason(invalid))
	e.cause = invalid
	return nil, e
}

// named is the session that a token in simplejwt's form names; ok is false for one that Django signed.
func named(t *legacyjwt.Token) (id storage.ID, ok bool) {
	if t.Type() == "refresh" {
		return t.Family()
	}
	return t.Session()
}

// fromLegacy gives the common form of a refresh token or a sliding token in simplejwt's. One that Django signed names no
// session: its grant is the one that its jti leads to.
func (s *Service) fromLegacy(legacy *legacyjwt.Token) (*refreshToken, error) {
	t := &refreshToken{
		ID: legacy.ID(), ExpiresAt: legacy.Expires(), IssuedAt: legacy.IssuedAt(),
		client: tagOf(clients.SimpleJWTID),
	}
	if grant, ok := named(legacy); ok {
		t.Grant, t.Parent = grant, legacy.Parent()
		t.Generation, _ = legacy.Generation()
		return t, nil
	}
	if !s.simplejwt.Adopt {
		return nil, invalidGrant(ReasonUnknownGrant)
	}
	t.Grant = adoptedID(legacy.JTI())
	return t, nil
}

// adoptedID leads from the jti of a token in flight to its grant: the same token presented again, in parallel or later,
// finds the same one, for as long as the token lives. So no key is in it that an operator may change: with another
// grant a token that was ended or retired would begin anew. These IDs lie before all others.
func adoptedID(jti string) storage.ID {
	sum := sha256.Sum256([]byte("adopted session\x00" + jti))
	return storage.NewIDFrom(time.UnixMilli(0), [10]byte(sum[:10]))
}

// adoptable reports whether the presented token is one in flight, signed by Django.
func (x *exchange) adoptable() bool {
	_, ours := named(x.legacy)
	return !ours && x.s.simplejwt.Adopt
}

// adopt makes a grant of a token in flight at its first use. Of parallel first uses one makes it, all find it.
func (x *exchange) adopt(ctx context.Context) (*storage.LiveGrant, error) {
	_, id, ok := x.legacy.UserID()
	if !ok {
		return nil, invalidGrant(ReasonUserRemoved) // Django crashes on a user id that is no number
	}
	user, err := x.s.store.User(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, invalidGrant(ReasonUserRemoved)
	}
	if err != nil {
		return nil, err
	}
	issued := x.legacy.IssuedAt()
	switch {
	case !user.Active:
		return nil, invalidGrant(ReasonUserInactive)
	// A token in flight has no epoch. One that was issued before sessions were ended here is dead too.
	case endedSince(user.AuthEpoch, user.CreatedAt, issued):
		return nil, invalidGrant(ReasonUserSessions)
	case passwordChanged(x.legacy, user):
		return nil, invalidGrant(ReasonPasswordChanged)
	case endedSince(x.client.AuthEpoch, x.client.CreatedAt, issued):
		return nil, invalidGrant(ReasonClientSessions)
	}
	g := &storage.Grant{
		ID: x.presented.Grant, ClientID: x.client.ID, UserID: user.ID,
		UserEpoch: user.AuthEpoch, ClientEpoch: x.client.AuthEpoch,
		AuthTime: issued, CreatedAt: x.now, LastUsedAt: x.now, ExpiresAt: x.now.Add(x.policy.absolute),
		Current: x.presented.ID,
	}
	if issued.IsZero() { // the claim is optional
		g.AuthTime = x.now
	}
	if until := x.promised(); until.After(g.ExpiresAt) { // a longer life than a session has here
		g.ExpiresAt = until
	}
	event := x.s.event(ctx, "session_adopted", "client", x.now)
	event.UserID, event.ClientID, event.GrantID, event.Outcome = g.UserID, g.ClientID, g.ID, "success"
	switch err := x.s.store.CreateGrant(ctx, g, nil, event); {
	case err == nil:
		x.s.audited(event)
	case !errors.Is(err, storage.ErrExists):
		return nil, err
	}
	return x.s.store.Grant(ctx, g.ID)
}

// promised is until when Django would have let the session of a token in flight go on without a login.
func (x *exchange) promised() time.Time {
	until := x.presented.ExpiresAt
	if last, ok := x.legacy.RefreshUntil(); ok && x.legacy.Type() == "sliding" {
		if last = last.Add(x.policy.accessTTL); last.After(until) { // with the token that the last refresh gives
			until = last
		}
	}
	return until
}

// endedSince reports whether an epoch was raised after the given moment. An epoch is the microsecond of the last raise;
// it starts at the creation, which ends nothing: users are brought over while their tokens are in flight.
func endedSince(epoch int64, created, moment time.Time) bool {
	return epoch > created.UnixMicro() && moment.Before(time.UnixMicro(epoch))
}
