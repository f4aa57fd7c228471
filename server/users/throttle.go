package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"latchkey/server/internal/mac"
	"latchkey/server/internal/request"
	"latchkey/server/password"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// The limits; see the package's comment.
const (
	pairBurst, pairInterval       = 20, 30 * time.Second
	addressBurst, addressInterval = 100, 3 * time.Second
	accountBurst, accountInterval = 100, 36 * time.Second
	siteBurst, siteInterval       = 200, 1500 * time.Millisecond
	regionBurst, regionInterval   = 400, 750 * time.Millisecond

	knownFor = 30 * 24 * time.Hour
	// An account gets so many known networks at once, and one more each interval: the rows are kept for knownFor.
	knownBurst, knownInterval = 20, knownFor / 20
)

// ThrottledError: too many attempts; the password was not checked.
type ThrottledError struct {
	// RetryAfter is how long until the next attempt is allowed.
	RetryAfter time.Duration
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many attempts, the next one in %s", e.RetryAfter)
}

// attempt returns what storage needs before the password is checked.
func (s *Service) attempt(ctx context.Context, username string, names storage.LoginNames) storage.LoginAttempt {
	a := storage.LoginAttempt{Now: s.now(), Names: names}
	if input.CanName(username, names) {
		a.Username = username // otherwise no user has that name, and the database need not be asked
	}
	if names.Fold {
		a.Username = storage.FoldASCII(a.Username)
	}
	username = s.counted(username)
	if !s.cfg.Throttle {
		return a
	}
	a.Untrusted = []storage.Bucket{{Key: s.mac("account", username), Burst: accountBurst, Interval: accountInterval}}
	if network, ok := request.From(ctx).Network(); ok {
		a.Known = s.mac("known place", username, network) // a label in stored MACs, so it must not change
		a.Always = []storage.Bucket{
			{Key: s.mac("account and address", username, network), Burst: pairBurst, Interval: pairInterval},
			{Key: s.mac("address", network), Burst: addressBurst, Interval: addressInterval},
		}
		a.Untrusted = append(a.Untrusted, s.wider(ctx)...)
	}
	return a
}

// wider returns the buckets of the networks that a provider assigns to one customer: a customer with a /56 or a /48 of IPv6 has any
// number of /64.
func (s *Service) wider(ctx context.Context) (buckets []storage.Bucket) {
	info := request.From(ctx)
	if site, ok := info.Prefix(56); ok {
		buckets = append(buckets, storage.Bucket{Key: s.mac("address", site), Burst: siteBurst, Interval: siteInterval})
	}
	if region, ok := info.Prefix(48); ok {
		buckets = append(buckets, storage.Bucket{Key: s.mac("address", region), Burst: regionBurst, Interval: regionInterval})
	}
	return buckets
}

// caller returns what the queue of the pool needs to know about the client.
func caller(ctx context.Context, known bool) password.Caller {
	info, c := request.From(ctx), password.Caller{Known: known}
	if wide, ok := info.WideNetwork(); ok {
		c.Networks = append(c.Networks, wide)
	}
	if site, ok := info.Prefix(56); ok {
		c.Networks = append(c.Networks, site)
	}
	if network, ok := info.Network(); ok {
		c.Networks = append(c.Networks, network)
	}
	return c
}

// throttledBy returns the error of an overload that the caller's own network contributes to as the limit that it is.
func throttledBy(err error) error {
	var crowded *password.CrowdedError
	if errors.As(err, &crowded) {
		return &ThrottledError{RetryAfter: crowded.RetryAfter}
	}
	return err
}

// counted returns the name under which attempts are counted: spellings that find the same user share their limits.
func (s *Service) counted(username string) string {
	username = input.Username(username)
	if s.cfg.Names.Fold {
		return storage.FoldASCII(username)
	}
	return username
}

// mac returns the MAC of a kind of value and its parts.
func (s *Service) mac(kindAndParts ...string) storage.Digest {
	return mac.SumFramed(s.cfg.ThrottleKey, kindAndParts...)
}

// taken returns the buckets that an attempt was taken from.
func taken(a storage.LoginAttempt, knownNetwork bool) []storage.Bucket {
	if knownNetwork {
		return a.Always
	}
	return append(a.Always[:len(a.Always):len(a.Always)], a.Untrusted...)
}

// giveBack returns an attempt to its buckets, even if ctx has ended. If that fails, one attempt is lost.
func (s *Service) giveBack(ctx context.Context, buckets []storage.Bucket) {
	if err := storage.GiveBack(ctx, s.cfg.Store, s.now(), buckets...); err != nil {
		request.From(ctx).Event.Add(slog.String("give_back_error", err.Error()))
	}
}
