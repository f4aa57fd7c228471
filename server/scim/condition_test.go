package scim_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"latchkey/server/servertest"
)

// atOnce runs requests at the same time and returns how many succeeded; the others must find another version (RFC 7644 §3.14).
func (b *bundle) atOnce(requests ...func() *servertest.Answer) (good int) {
	b.t.Helper()
	gate, answers := make(chan struct{}), make([]*servertest.Answer, len(requests))
	var wg sync.WaitGroup
	for i, request := range requests {
		wg.Go(func() {
			<-gate
			answers[i] = request()
		})
	}
	close(gate)
	wg.Wait()
	for _, a := range answers {
		if a.Status == http.StatusOK || a.Status == http.StatusNoContent {
			good++
			continue
		}
		b.refused(a, http.StatusPreconditionFailed, "")
	}
	return good
}

// Of changes of a group at once that name the version that all have read, one is made.
func TestOfChangesOfOneVersionOfAGroupOneIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for round := range 10 {
		name := "staff-" + string(rune('a'+round))
		first := b.add("first-" + name)
		id := b.addGroup(name, first)
		tag := servertest.Header("If-Match", b.call("GET", "/Groups/"+id, "").Header.Get("ETag"))
		patch := func(operation string) func() *servertest.Answer {
			return func() *servertest.Answer {
				return b.call("PATCH", "/Groups/"+id, `{`+patchSchema+`,"Operations":[`+operation+`]}`, tag)
			}
		}
		good := b.atOnce(
			patch(`{"op":"add","path":"members","value":[{"value":"`+b.add("second-"+name)+`"}]}`),
			patch(`{"op":"remove","path":"members[value eq \"`+first+`\"]"}`),
			patch(`{"op":"replace","path":"externalId","value":"other"}`),
			patch(`{"op":"replace","path":"displayName","value":"renamed-`+name+`"}`),
			func() *servertest.Answer {
				return b.call("PUT", "/Groups/"+id, `{`+groupSchema+`,"displayName":"replaced-`+name+`"}`, tag)
			},
		)
		if good != 1 {
			t.Fatalf("%d of the changes of one version were made: %s", good, b.call("GET", "/Groups/"+id, "").Body)
		}
		b.call("DELETE", "/Groups/"+id, "", servertest.Header("If-Match", "*")).Expect(http.StatusNoContent)
	}
}

// So are changes of a user, also of what is beside the user's row: what the client calls them, and what is kept of what it has sent.
func TestOfChangesOfOneVersionOfAUserOneIsMade(t *testing.T) {
	t.Parallel()
	b := setup(t)
	operations := []string{
		`{"op":"replace","path":"externalId","value":"%d"}`, `{"op":"replace","path":"title","value":"%d"}`, `{"op":"replace","path":"displayName","value":"%d"}`,
	}
	for round, operation := range slices.Repeat(operations, 10) {
		path := fmt.Sprint("/Users/", b.add(fmt.Sprint("user-", round)))
		tag := servertest.Header("If-Match", b.call("GET", path, "").Header.Get("ETag"))
		var requests []func() *servertest.Answer
		for i := range 5 {
			requests = append(requests, func() *servertest.Answer {
				return b.call("PATCH", path, `{`+patchSchema+`,"Operations":[`+fmt.Sprintf(operation, i)+`]}`, tag)
			})
		}
		if good := b.atOnce(requests...); good != 1 {
			t.Errorf("%s: %d of the changes of one version were made", operation, good)
		}
	}
}
