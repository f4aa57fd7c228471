// Package testclock has the clock of tests.
package testclock

import (
	"reflect"
	"sync"
	"time"
)

// Epoch is the time at which clocks of tests begin.
var Epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

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

// Set makes a database show the time of a clock: the times of refresh chains are the database's. A store that wraps another one has
// it in a field.
func Set(store any, now func() time.Time) {
	for v := reflect.ValueOf(store); v.IsValid(); {
		if db, ok := v.Interface().(interface{ SetClock(func() time.Time) }); ok {
			db.SetClock(now)
			return
		}
		wrapper := reflect.Indirect(v)
		if v = (reflect.Value{}); wrapper.Kind() == reflect.Struct {
			if v = wrapper.FieldByName("Store"); v.IsValid() {
				v = v.Elem()
			}
		}
	}
	panic("testclock: the store has no clock")
}
