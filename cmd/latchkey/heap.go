package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// settled is how long after its start a server no longer runs code that only a start needs.
const settled = 5 * time.Second

// serves notes that the command is a server, which runs for long on little memory: the heap grows by headroom, and what only the start
// needed is given back once it has settled. The function that it returns calls that off.
func (a *app) serves() (stop func() bool) {
	a.serving = true
	collectLessOften()
	// Where it is not possible, nothing is lost but memory.
	return time.AfterFunc(settled, func() { unmapProgram() }).Stop
}

// headroom is how much the heap may grow between two garbage collections, in bytes, however little of it is in use.
//
// By default it grows as much as is in use, which is 4 MB in a server under load: at 500 refreshes a second there were five collections,
// which took a seventh of the CPU time. More than 9 MB would save more of them, but the server would need more than 50 MB resident.
const headroom = 9 << 20

// collectLessOften sets the garbage collector's percentage after each collection so that the heap may grow by headroom, or by
// what is in use if that is more. It does nothing if the operator has set GOGC.
func collectLessOften() {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	last := 100
	var adjust func(struct{})
	adjust = func(struct{}) {
		metrics.Read(live)
		percent := int(min(400, max(100, 100*headroom/max(live[0].Value.Uint64(), 1))))
		// Setting it stops the world for a moment, so small differences are let be.
		if percent < last*9/10 || percent > last*11/10 {
			debug.SetGCPercent(percent)
			last = percent
		}
		// Called again after the next collection, when the new value is garbage.
		runtime.AddCleanup(new([16]byte), adjust, struct{}{})
	}
	adjust(struct{}{})
}
