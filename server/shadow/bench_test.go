package shadow_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"
)

// BenchmarkOverhead measures what the shadow adds to Django's answers while every request is rehearsed: the quantiles of requests by it less
// those of requests without it, in turns.
func BenchmarkOverhead(b *testing.B) {
	w := setup(b, 0)
	django := func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		time.Sleep(2 * time.Millisecond) // nobody's Django is faster
		pair(rw, `{"user_id":1}`, `{"user_id":1,"jti":"x"}`)
	}
	w.django, w.rehearsed = django, django
	direct := httptest.NewServer(http.HandlerFunc(django))
	defer direct.Close()
	body := refreshWith(`{"user_id":1,"jti":"b"}`)
	shadowed := w.Server
	plain := &world{Server: direct}
	var with, without []time.Duration
	for b.Loop() {
		begun := time.Now()
		plain.post(b, "/api/token/refresh/", body)
		middle := time.Now()
		(&world{Server: shadowed}).post(b, "/api/token/refresh/", body)
		without, with = append(without, middle.Sub(begun)), append(with, time.Since(middle))
	}
	slices.Sort(with)
	slices.Sort(without)
	for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99} {
		at := int(q * float64(len(with)-1))
		b.ReportMetric(float64((with[at] - without[at]).Microseconds()), name+"-added-µs")
		b.ReportMetric(float64(without[at].Microseconds()), name+"-without-µs")
	}
}
