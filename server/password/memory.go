package password

import (
	"runtime/debug"
	"time"
)

// idleTime is the time without computations after which their memory is returned to the operating system.
//
// One computation of the default cost takes 19 MiB from the heap. The garbage of the last ones remains until the next
// collection, which an idle server starts after two minutes, and is returned only slowly after that. Collecting
// and returning it takes about 7 ms, and the next computation needs 10 to 40 ms on top of its 25 to allocate the memory
// again: too much after each computation, little after a pause.
const idleTime = 5 * time.Second

// worthFreeing is the memory of a computation, in bytes, from which on it is returned.
const worthFreeing = 1 << 20

// newIdleTimer returns a timer that frees the memory once, idleTime after it was last reset.
func newIdleTimer(free func()) *time.Timer {
	if free == nil {
		free = debug.FreeOSMemory
	}
	t := time.AfterFunc(idleTime, free)
	t.Stop()
	return t
}
