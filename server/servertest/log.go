package servertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"latchkey/latchkeytest/eventually"
)

// Log is everything that the server logged.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is the log as text, one JSON object a line.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Event is one line of the log.
type Event map[string]any

// Events gives the lines with the message.
func (l *Log) Events(t testing.TB, message string) []Event {
	t.Helper()
	var events []Event
	for line := range strings.Lines(l.String()) {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if e["msg"] == message {
			events = append(events, e)
		}
	}
	return events
}

// Requests gives the events of requests of a route, once count of them are there: the event of a request is written a
// moment after its answer.
func (l *Log) Requests(t testing.TB, route string, count int) (events []Event) {
	t.Helper()
	eventually.True(t, fmt.Sprintf("%d requests of %s are in the log", count, route), func() bool {
		events = nil
		for _, e := range l.Events(t, "request") {
			if e["route"] == route {
				events = append(events, e)
			}
		}
		return len(events) >= count
	})
	return events
}
