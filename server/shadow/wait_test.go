package shadow_test

import (
	"net/http"
	"testing"
	"time"

	"latchkey/server/shadow"
)

// TestDjangoAnswersWhileTheStateIsCopied asks for tokens while the counts of comparisons are locked, as they are while a copy of tens of
// thousands of tokens is made for the file.
func TestDjangoAnswersWhileTheStateIsCopied(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	answered := make(chan int, 1)
	w.proxy.Comparing(func() {
		go func() {
			status, _ := w.post(t, "/api/token/refresh/", refreshWith(`{"user_id":1,"jti":"a"}`))
			answered <- status
		}()
		select {
		case status := <-answered:
			if status != http.StatusOK {
				t.Errorf("status %d", status)
			}
		case <-time.After(time.Minute):
			t.Error("no answer while the counts of comparisons are locked")
		}
	})
}

// TestComparisonsBeginAfterTheAnswerIsRead leaves the processor to the client and to what it asks for next.
func TestComparisonsBeginAfterTheAnswerIsRead(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.django = func(rw http.ResponseWriter, r *http.Request) {
		pair(rw, `{"user_id":1}`, `{"user_id":1,"jti":"x"}`)
	}
	compared := make(chan time.Time, 1)
	w.rehearsed = func(rw http.ResponseWriter, r *http.Request) {
		compared <- time.Now()
		w.django(rw, r)
	}
	asked := time.Now()
	w.post(t, "/api/token/refresh/", refreshWith(`{"user_id":1,"jti":"a"}`))
	if passed := (<-compared).Sub(asked); passed < shadow.Pause {
		t.Errorf("the comparison began %v after the request", passed)
	}
}
