//go:build !testclock

package main

import "time"

// now returns the time of this machine.
func now() time.Time { return time.Now().UTC() }
