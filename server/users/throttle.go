package users

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"latchkey/server/internal/mac"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

// The limits; see the package's comment.
const (
	pairBurst, pairInterval       = 20, 30 * time.Second
	addressBurst, addressInterval = 100, 3 * time.Second
	accountBurst, accountInterval = 100, 36 * time.Second

	knownFor = 30 * 24 * time.Hour
)

// ThrottledError: too many attempts; the password was not looked at.
type ThrottledError struct {
	// RetryAfter is how long until an attempt is looked at again.
	RetryAfter time.Duration
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many attempts, the next one in %s", e.RetryAfter)
}

// attempt is what storage is asked before the password is looked at.
func (s *Service) attempt(ctx context.Context, username string) storage.LoginAttempt {
	a := storage.LoginAttempt{Now: s.now()}
	if storable(username) {
		a.Username = username // else nobody has that name, and the database need not see it
	}
	if !s.cfg.Throttle {
		return a
	}
	a.Untrusted = []storage.Bucket{{Key: s.mac("account", username), Burst: accountBurst, Interval: accountInterval}}
	if place, ok := request.From(ctx).Network(); ok {
		a.Known = s.mac("known place", username, place)
		a.Always = []storage.Bucket{
			{Key: s.mac("account and address", username, place), Burst: pairBurst, Interval: pairInterval},
			{Key: s.mac("address", place), Burst: addressBurst, Interval: addressInterval},
		}
	}
	return a
}

// mac returns the MAC of a kind of value and its parts.
func (s *Service) mac(kindAndParts ...string) storage.Digest {
	return mac.SumFramed(s.cfg.ThrottleKey, kindAndParts...)
}

// taken are the buckets that an attempt was taken from.
func taken(a storage.LoginAttempt, knownPlace bool) []storage.Bucket {
	if knownPlace {
		return a.Always
	}
	return append(a.Always[:len(a.Always):len(a.Always)], a.Untrusted...)
}

// giveBack returns an attempt that was not looked at, also when the caller has left. If that fails, one attempt is lost.
func (s *Service) giveBack(ctx context.Context, a storage.LoginAttempt, knownPlace bool) {
	buckets := taken(a, knownPlace)
	if len(buckets) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := s.cfg.Store.GiveBackAttempts(ctx, s.now(), buckets...); err != nil {
		request.From(ctx).Event.Add(slog.String("give_back_error", err.Error()))
	}
}
