package shadow_test

import (
	"net/http"
	"os"
	"path/filepath"
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
	if passed := (<-compared).Sub(asked); passed < 5*time.Millisecond {
		t.Errorf("the comparison began %v after the request", passed)
	}
}

// TestCountsThatCouldNotBeWrittenAreWrittenLater takes the folder of the file away for a while.
func TestCountsThatCouldNotBeWrittenAreWrittenLater(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.post(t, "/api/token/refresh/", refreshWith(`{"user_id":1,"jti":"a"}`))
	w.settle(t, shadow.RouteRefresh, 1)
	folder := filepath.Dir(w.file)
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	if err := w.proxy.Save(); err == nil {
		t.Error("the counts were written into a folder that is away")
	}
	if err := os.Rename(folder+".away", folder); err != nil {
		t.Fatal(err)
	}
	if err := w.proxy.Save(); err != nil {
		t.Fatal(err)
	}
	st, err := shadow.Read(w.file)
	if err != nil {
		t.Fatal(err)
	}
	if n := st.Routes[shadow.RouteRefresh].Requests; n != 1 {
		t.Errorf("the file counts %d requests", n)
	}
}
