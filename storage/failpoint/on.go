//go:build failpoint

package failpoint

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

var (
	folder = os.Getenv("FAILPOINT")

	mu    sync.Mutex
	since string             // the content of the file armed that times counts for
	times = map[string]int{} // how often a point was passed
)

// Hit kills the process if a test wants so at this moment of an operation.
func Hit(operation string, m Moment) { pass(operation+"/"+string(m), func() {}) }

// Answered is Hit for the moment after the answer w of a route was sent.
func Answered(w any, route string) {
	pass(route+"/answered", func() { http.NewResponseController(w.(http.ResponseWriter)).Flush() })
}

func pass(point string, first func()) {
	if folder == "" {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	file := filepath.Join(folder, "armed")
	armed, err := os.ReadFile(file)
	if err != nil {
		note(point)
		return
	}
	if since != string(armed) {
		since, times = string(armed), map[string]int{}
	}
	times[point]++
	name, count, _ := strings.Cut(since, "#")
	nth, _ := strconv.Atoi(count)
	if name == point && times[point] == max(nth, 1) {
		first()
		os.Remove(file)
		syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		select {} // until the signal has arrived
	}
}

func note(point string) {
	f, err := os.OpenFile(filepath.Join(folder, "passed"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	f.WriteString(point + "\n")
}
