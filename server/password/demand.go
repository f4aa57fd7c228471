package password

import (
	"errors"
	"fmt"
	"time"
)

// Caller is the client that a computation is for.
type Caller struct {
	// Networks are those that the caller is in, from the widest to the narrowest; empty if they are not known, as one network of its own.
	Networks []string
	// Known is true if the account has logged in from there before. Such callers come first.
	Known bool
}

// ErrOverload means that no worker became free in time; trying again later may succeed.
var ErrOverload = errors.New("too many password checks at once")

// CrowdedError is an overload to which the caller's own network contributes: it has asked for more than [crowding] computations of late.
// It is an ErrOverload.
type CrowdedError struct {
	// RetryAfter is how long until the network counts as any other.
	RetryAfter time.Duration
}

func (e *CrowdedError) Error() string {
	return fmt.Sprintf("too many password checks at once, many of them from this network; the next one in %s", e.RetryAfter)
}

func (e *CrowdedError) Unwrap() error { return ErrOverload }

const (
	// crowding is how many computations of the present and the last window a network may have asked for before an overload is its own.
	crowding = 20
	// windowTime is what "of late" is counted in.
	windowTime = 10 * time.Second
	// maxNetworks bounds the memory.
	maxNetworks = 10_000
)

// demand counts what networks ask for, whether they get it or not. Nothing of it is stored.
type demand struct {
	networks map[string]*asked
	window   int64
}

// asked is what a network asked for in a window and in the one before.
type asked struct {
	window    int64
	now, last int
}

// count adds to what networks asked for.
func (d *demand) count(networks []string, n int, now time.Time) []*asked {
	d.advance(now)
	if len(networks) == 0 {
		networks = []string{""}
	}
	counted := make([]*asked, len(networks))
	for i, name := range networks {
		a := d.networks[name]
		if a == nil {
			d.makeRoom()
			a = &asked{}
			d.networks[name] = a
		}
		a.last, a.now = a.in(d.window)
		a.now, a.window = a.now+n, d.window
		counted[i] = a
	}
	return counted
}

func (d *demand) advance(now time.Time) { d.window = max(d.window, now.UnixNano()/int64(windowTime)) }

// makeRoom forgets networks that asked for nothing of late, and if these are too few, those that asked for little.
func (d *demand) makeRoom() {
	if d.networks == nil {
		d.networks = make(map[string]*asked)
	}
	for _, little := range []int{0, 1, crowding, 1 << 30} {
		if len(d.networks) < maxNetworks {
			return
		}
		for name, a := range d.networks {
			if a.of(d.window) <= little {
				delete(d.networks, name)
			}
		}
	}
}

// in returns what was asked for in the window before and in this one.
func (a *asked) in(window int64) (last, now int) {
	switch window - a.window {
	case 0:
		return a.last, a.now
	case 1:
		return a.now, 0
	}
	return 0, 0
}

// of returns what was asked for in both.
func (a *asked) of(window int64) int {
	last, now := a.in(window)
	return last + now
}

// until returns how long it takes until a network that asks for no more is below the limit: until the end of this window or of the next.
func (d *demand) until(a *asked, now time.Time) time.Duration {
	windows := int64(1)
	if _, n := a.in(d.window); n > crowding {
		windows = 2
	}
	return max(time.Unix(0, (d.window+windows)*int64(windowTime)).Sub(now), time.Second)
}
