// Package testclock has the clock of tests.
package testclock

import (
	"sync"
	"time"
)

// Clock shows the same time until it is advanced.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// New returns a clock that shows t.
func New(t time.Time) *Clock { return &Clock{now: t} }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward, or back for a negative d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
