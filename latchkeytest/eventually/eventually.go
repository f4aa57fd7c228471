// Package eventually waits in tests for what another goroutine is about to do.
package eventually

import (
	"testing"
	"time"
)

// True waits up to a minute until done returns true. The test fails when it does not.
func True(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
