package password

import (
	"runtime/debug"
	"time"
)

// idleTime is how long nothing is computed before the memory of the last computations goes back to the operating system.
//
// One computation of the default cost takes 19 MiB from the heap. The garbage of the last ones stays until the next
// collection, which a server that rests starts after two minutes, and is returned only slowly after that. Collecting
// and returning it takes some 7 ms, and the next computation 10 to 40 ms more than its 25 to touch the memory again:
// too much after each, little after a pause.
const idleTime = 5 * time.Second

// newIdleTimer returns a timer that frees the memory once, idleTime after it was last reset.
func newIdleTimer(free func()) *time.Timer {
	if free == nil {
		free = debug.FreeOSMemory
	}
	t := time.AfterFunc(idleTime, free)
	t.Stop()
	return t
}
