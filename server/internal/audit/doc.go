// Package audit makes, writes and counts audit events.
package audit
