package failpointtest

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"latchkey/storage/failpoint"
)

// Variable is the environment variable that names the folder of Install.
const Variable = "FAILPOINT"

// Install makes the process kill itself at a point that a test has armed, if the variable FAILPOINT names a folder. The file armed in it
// holds the point, such as "create grant/after", and "#2" for the second time; without that file, the points that are passed are
// appended to the file passed.
func Install() {
	if folder := os.Getenv(Variable); folder != "" {
		k := &killer{folder: folder}
		failpoint.OnPass(k.pass)
	}
}

type killer struct {
	folder string

	mu    sync.Mutex
	since string         // the content of the file armed that times counts for
	times map[string]int // how often a point was passed
}

func (k *killer) pass(point string, answer any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	file := filepath.Join(k.folder, "armed")
	armed, err := os.ReadFile(file)
	if err != nil {
		k.note(point)
		return
	}
	if k.times == nil || k.since != string(armed) {
		k.since, k.times = string(armed), map[string]int{}
	}
	k.times[point]++
	name, count, _ := strings.Cut(k.since, "#")
	nth, _ := strconv.Atoi(count)
	if name != point || k.times[point] != max(nth, 1) {
		return
	}
	if answer != nil {
		http.NewResponseController(answer.(http.ResponseWriter)).Flush()
	}
	os.Remove(file)
	if p, err := os.FindProcess(os.Getpid()); err != nil || p.Kill() != nil {
		panic("the process can't kill itself")
	}
	select {} // until the signal has arrived
}

func (k *killer) note(point string) {
	f, err := os.OpenFile(filepath.Join(k.folder, "passed"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	f.WriteString(point + "\n")
}
