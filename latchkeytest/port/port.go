// Package port chooses ports for programs that can't be told to choose one and say which.
package port

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports below those that kernels give to connections and to listeners that ask for any (32768 and up on Linux, 49152 and up
// elsewhere): a port of theirs may be somebody else's by the time a program binds it.
const first, last = 10000, 32767

var taken sync.Map // of int: what this process has been given

// Free returns a port of 127.0.0.1 on which nothing listens. No second call in this process returns it.
func Free() (int, error) {
	for range 1000 {
		port := first + rand.IntN(last-first+1)
		if _, given := taken.LoadOrStore(port, true); given {
			continue
		}
		l, err := net.Listen("tcp", Address(port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("no free port from " + strconv.Itoa(first) + " to " + strconv.Itoa(last))
}

// Address returns a port of 127.0.0.1 as host and port.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
