//go:build testclock

package main

import (
	"os"
	"time"
)

// now returns the time of a machine whose clock is wrong by CLOCK_OFFSET. Releases are built without it; see package hatest.
func now() time.Time { return time.Now().UTC().Add(offset) }

var offset = func() time.Duration {
	text := os.Getenv("CLOCK_OFFSET")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		panic("CLOCK_OFFSET: " + err.Error())
	}
	return d
}()
