package hatest

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// network is between the Latchkeys and their database: a TCP relay that delays, holds back or cuts what it carries.
type network struct {
	net.Listener
	to string

	delay atomic.Int64 // of each piece, in nanoseconds
	held  atomic.Bool  // nothing passes, and nobody is told
	cuts  atomic.Bool  // connections break in the middle of what they carry
	cut   atomic.Int64 // how many did

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func startNetwork(t *testing.T, address, to string) *network {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	n := &network{Listener: l, to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); n.disconnect() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go n.carry(from)
		}
	}()
	return n
}

// carry connects two ends until one of them closes.
func (n *network) carry(from net.Conn) {
	n.wait()
	to, err := net.DialTimeout("tcp", n.to, 10*time.Second)
	if err != nil {
		from.Close()
		return
	}
	n.mu.Lock()
	n.conns[from], n.conns[to] = true, true
	n.mu.Unlock()
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		wg.Go(func() {
			n.copy(way[1], way[0])
			from.Close()
			to.Close()
		})
	}
	wg.Wait()
	n.mu.Lock()
	delete(n.conns, from)
	delete(n.conns, to)
	n.mu.Unlock()
}

func (n *network) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		size, err := from.Read(buffer)
		n.wait()
		piece := buffer[:size]
		broken := size > 1 && n.cuts.Load() && rand.IntN(20) == 0
		if broken {
			piece = piece[:1+rand.IntN(size-1)]
			n.cut.Add(1)
		}
		if _, failed := to.Write(piece); failed != nil || err != nil || broken {
			return
		}
	}
}

// wait waits as long as the network holds back what it carries.
func (n *network) wait() {
	time.Sleep(time.Duration(n.delay.Load()))
	for n.held.Load() {
		time.Sleep(20 * time.Millisecond)
	}
}

// disconnect closes all connections.
func (n *network) disconnect() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.Close()
	}
}
