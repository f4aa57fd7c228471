// Package canary tells tests that a connection was made which must not be made.
package canary

import (
	"net"
	"sync/atomic"
	"testing"
)

// Canary counts the connections to a port that no request may lead to.
type Canary struct {
	Port string
	hits atomic.Int64
}

// New listens on every address of the machine until the test ends.
func New(t *testing.T) *Canary {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &Canary{}
	_, c.Port, _ = net.SplitHostPort(l.Addr().String())
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.hits.Add(1)
			conn.Close()
		}
	}()
	return c
}

// Hits returns how many connections there were.
func (c *Canary) Hits() int64 { return c.hits.Load() }
