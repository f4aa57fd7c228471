package admin_test

import (
	"net/http"
	"sync"
	"testing"

	"latchkey/server/servertest"
)

// Of rotations of a client's secret at once that name the version that all have read, one is made: a caller who was told of success has a
// secret that is good. So it is with what disables a client.
func TestOfChangesOfOneVersionOfAClientOneIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call("POST", "/clients", `{"client_id":"shop","client_name":"Shop","grant_types":["client_credentials"]}`).Expect(http.StatusCreated)
	for range 5 {
		for _, path := range []string{"/clients/shop/secret", "/clients/shop/disable", "/clients/shop/enable"} {
			body := ""
			if path == "/clients/shop/secret" {
				body = `{}`
			}
			tag := servertest.Header("If-Match", b.call("GET", "/clients/shop", "").Expect(http.StatusOK).Header.Get("ETag"))
			gate, answers := make(chan struct{}), make([]*servertest.Answer, 6)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() {
					<-gate
					answers[i] = b.call("POST", path, body, tag)
				})
			}
			close(gate)
			wg.Wait()
			good := 0
			for _, a := range answers {
				if a.Status == http.StatusOK {
					good++
					continue
				}
				b.problem(a, http.StatusPreconditionFailed)
			}
			if good != 1 {
				t.Errorf("%s: %d of the changes of one version were made", path, good)
			}
		}
	}
}
