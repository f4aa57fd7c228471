package hatest

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"latchkey/latchkeytest"
)

// patience is how long an event may last until every client has succeeded again.
const patience = 2 * latchkeytest.Patience

// event is something that happens under traffic.
type event struct {
	name  string
	short bool // part of the short form
	// release says that it is about the previous release.
	release bool
	// asynchronous says that it loses what was acknowledged just before: see service.lagging.
	asynchronous bool
	do           func(*service) error
	// heal makes the deployment whole again, once the clients have recovered.
	heal func(*service) error
}

func TestHighAvailability(t *testing.T) {
	form := os.Getenv("LATCHKEY_TEST_HA")
	if form != "short" && form != "long" {
		t.Skip("LATCHKEY_TEST_HA is not short or long: see make test-ha")
	}
	selected, err := regexp.Compile(os.Getenv("LATCHKEY_TEST_HA_EVENTS"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var chosen []event
	previous := ""
	for _, e := range events() {
		if selected.MatchString(e.name) && (e.short || form == "long") {
			chosen = append(chosen, e)
		}
	}
	if slices.ContainsFunc(chosen, func(e event) bool { return e.release }) {
		var why string
		if previous, why = previousRelease(t); previous == "" {
			fmt.Printf("NOT DONE: upgrade and downgrade: %s\n", why)
			chosen = slices.DeleteFunc(chosen, func(e event) bool { return e.release })
		}
	}
	s := startService(t, previous)
	s.run(userPassword+"\n", "user", "add", userName, "--password-stdin")
	for _, policy := range policies[:3] {
		s.run("", "client", "add", "--client-id", policy, "--token-endpoint-auth-method", "none", "--rotation", policy,
			"--grant-type", "password", "--grant-type", "refresh_token", "--scope", "openid", "--rotation-overlap", overlap[policy])
	}
	s.run(userPassword+"\n", "user", "add", endedUser, "--password-stdin")
	s.run("", "client", "add", "--client-id", endedClient, "--token-endpoint-auth-method", "none", "--grant-type", "password", "--grant-type", "refresh_token", "--scope", "openid")
	t.Logf("started after %s", time.Since(began).Round(time.Second))

	ctx, cancel := context.WithCancel(t.Context())
	traffic := &traffic{s: s, ctx: ctx}
	traffic.begin("start")
	traffic.start()
	t.Cleanup(func() { cancel(); traffic.wg.Wait() })
	fmt.Println(titles())
	for _, e := range chosen {
		traffic.suffer(t, e)
	}
	t.Logf("ended after %s", time.Since(began).Round(time.Second))
	s.pgBouncerMixedNothingUp(t)
}

// overlap is how long a retired token works. Without an overlap, strict loses a session with each answer that is lost. That of strict is
// shorter than some outages, which must not count.
var overlap = map[string]string{"confirmed": "10s", "strict": "10s", "off": "0s"}

// suffer lets an event happen, waits for the clients to recover, and judges.
func (tr *traffic) suffer(t *testing.T, e event) {
	tr.s.whole()
	tr.begin(e.name)
	tr.sleep(2 * time.Second)
	tr.act()
	if err := e.do(tr.s); err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	since := time.Now()
	for !tr.recovered(tr.count, since) {
		if time.Since(since) > patience {
			t.Errorf("%s: clients have not recovered within %s", e.name, patience)
			break
		}
		tr.sleep(100 * time.Millisecond)
	}
	if e.heal != nil {
		if err := e.heal(tr.s); err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		tr.s.whole()
	}
	tr.tryAll()
	tr.s.lagging.Store(0)
	fmt.Println(tr.row())
	if tr.lost > 0 || tr.resurrected > 0 || tr.odd > 0 {
		t.Errorf("%s: %d sessions lost, %d tokens resurrected, %d odd answers", e.name, tr.lost, tr.resurrected, tr.odd)
	}
}
