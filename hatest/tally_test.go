package hatest

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// tally counts what clients see during an event.
type tally struct {
	mu                                      sync.Mutex
	event                                   string
	lost, resurrected, odd, ok, told        int
	acted, success, failure, recovery, keys time.Time
	gap, keysGap                            time.Duration
	samples                                 []string
	ended                                   int // sessions whose end was acknowledged
	// What an event without synchronous replication may cost: sessions that began, and sessions that ended, while no standby followed.
	young, alive int
	clients      map[string]time.Time
	failed       map[string]int // by what clients were told
}

func (t *tally) begin(event string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.event, t.lost, t.resurrected, t.odd, t.ok, t.told, t.ended = event, 0, 0, 0, 0, 0, 0
	t.acted, t.success, t.failure, t.recovery, t.gap = now, now, time.Time{}, time.Time{}, 0
	t.keys, t.keysGap = now, 0
	t.young, t.alive = 0, 0
	t.samples, t.clients, t.failed = nil, map[string]time.Time{}, map[string]int{}
}

// act notes that the event begins now: the time of recovery counts from here.
func (t *tally) act() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acted = time.Now()
}

// noticeable is how long a client may wait for a success without an outage being the reason.
const noticeable = time.Second

func (t *tally) succeed(client string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if last := t.clients[client]; !last.IsZero() && now.Sub(last) > noticeable {
		t.recovery = now
	}
	t.gap, t.success = max(t.gap, now.Sub(t.success)), now
	t.clients[client] = now
	t.ok++
}

// fail counts what a client does as told about: try again.
func (t *tally) fail(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failure = time.Now()
	t.failed[what]++
	t.told++
}

// tell counts what the documents say may happen.
func (t *tally) tell(counter *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*counter++
}

func (t *tally) note(counter *int, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*counter++
	if len(t.samples) < 8 {
		t.samples = append(t.samples, time.Since(t.acted).Round(10*time.Millisecond).String()+" "+fmt.Sprintf(format, args...))
	}
	t.failure = time.Now()
}

// recovered reports whether each of n clients has succeeded since the moment, and none has failed for a while.
func (t *tally) recovered(n int, since time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, at := range t.clients {
		if at.After(since) {
			n--
		}
	}
	return n <= 0 && time.Since(t.failure) > 3*time.Second
}

// keysServed notes an answer with the key set.
func (t *tally) keysServed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.keysGap, t.keys = max(t.keysGap, now.Sub(t.keys)), now
}

const header = "%-44s %4s %11s %3s %6s %6s %6s %8s %9s %8s"

func titles() string {
	return fmt.Sprintf(header, "event", "LOST", "RESURRECTED", "ODD", "ok", "told", "ended", "gap", "recovery", "keys")
}

func (t *tally) row() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	recovery := "-"
	if t.recovery.After(t.acted) {
		recovery = seconds(t.recovery.Sub(t.acted))
	}
	text := fmt.Sprintf(header, t.event, fmt.Sprint(t.lost), fmt.Sprint(t.resurrected), fmt.Sprint(t.odd), fmt.Sprint(t.ok), fmt.Sprint(t.told),
		fmt.Sprint(t.ended), seconds(t.gap), recovery, seconds(t.keysGap))
	if t.young+t.alive > 0 {
		text += fmt.Sprintf("\n    as documented: %d sessions that had just begun are lost, %d uses of sessions that had just ended", t.young, t.alive)
	}
	return strings.Join(append([]string{text}, t.samples...), "\n    ")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
