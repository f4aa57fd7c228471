package shadow_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/latchkeytest/eventually"
	"latchkey/server/shadow"
)

// client keeps how much of an answer each flush has sent.
type client struct {
	*httptest.ResponseRecorder
	mu      sync.Mutex
	flushes []int
}

// Flush implements http.Flusher.
func (c *client) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushes = append(c.flushes, c.Body.Len())
}

// Write implements http.ResponseWriter.
func (c *client) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ResponseRecorder.Write(b)
}

func (c *client) sent() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int{}, c.flushes...)
}

// Django's answer is sent in one part, and before it is compared: two parts cost a client 0.13 ms.
func TestAnAnswerIsSentBeforeItIsCompared(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	const answer = `{"by":"django"}`
	w.django = func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", "15")
		rw.(http.Flusher).Flush()
		time.Sleep(50 * time.Millisecond) // the header of the answer is there, and is not sent by itself
		io.WriteString(rw, answer)
	}
	c := &client{ResponseRecorder: httptest.NewRecorder()}
	compared := make(chan []int, 1)
	w.rehearsed = func(rw http.ResponseWriter, r *http.Request) {
		compared <- c.sent()
		io.WriteString(rw, answer)
	}
	r := httptest.NewRequest(http.MethodPost, "/api/token/refresh/", strings.NewReader(refreshWith(`{"user_id":1,"jti":"a"}`)))
	r.Header.Set("Content-Type", "application/json")
	w.proxy.ServeHTTP(c, r)
	if c.Body.String() != answer {
		t.Errorf("the answer is %q", c.Body)
	}
	select {
	case sent := <-compared:
		if len(sent) != 1 || sent[0] != len(answer) {
			t.Errorf("when the comparison began, the flushes had sent %v of %d bytes", sent, len(answer))
		}
	case <-time.After(time.Minute):
		t.Fatal("not compared")
	}
}

// While Latchkey is down it is not tried for each request: that takes processor time which Django's answers would wait for.
func TestADownLatchkeyIsTriedNowAndThen(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	var tried atomic.Int64
	var up atomic.Bool
	w.rehearsed = func(rw http.ResponseWriter, r *http.Request) {
		tried.Add(1)
		if !up.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.django(rw, r)
	}
	post := func(n int) {
		for range n {
			w.post(t, "/api/token/refresh/", refreshWith(`{"user_id":1,"jti":"a"}`))
		}
	}
	count := func() shadow.RouteCount { return *w.snapshot(t).Routes[shadow.RouteRefresh] }
	post(100)
	eventually.True(t, "100 failures", func() bool { return count().Failed == 100 })
	if n := tried.Load(); n < 16 || n > 24 { // 8 are rehearsed at a time
		t.Errorf("tried %d times", n)
	}
	up.Store(true)
	w.step(2 * time.Second)
	before := tried.Load()
	post(50)
	eventually.True(t, "all are tried", func() bool { return tried.Load() == before+50 })
	if n := count().Failed; n != 100 {
		t.Errorf("%d failed", n)
	}
}
