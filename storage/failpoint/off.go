//go:build !failpoint

package failpoint

// Hit kills the process if a test wants so at this moment of an operation.
func Hit(string, Moment) {}

// Answered is Hit for the moment after the answer w of a route was sent.
func Answered(any, string) {}
