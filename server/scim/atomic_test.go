package scim_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"latchkey/server/servertest"
)

// Of requests that create users at once, whose names differ in case only (RFC 7643 §4.1.1), or that rename others to such a name, one
// succeeds; the others are told why.
func TestParallelNamesThatDifferInCaseAreOneUsers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const callers = 16
	var ids []string
	for i := range callers / 2 {
		ids = append(ids, b.add("old"+strings.Repeat("x", i)))
	}
	gate := make(chan struct{})
	answers := make([]*servertest.Answer, callers)
	var wg sync.WaitGroup
	for i := range answers {
		name := strings.Repeat("a", i) + strings.Repeat("A", callers-i)
		wg.Go(func() {
			<-gate
			if i%2 == 0 {
				answers[i] = b.patch("/Users/"+ids[i/2], `{"op":"replace","path":"userName","value":"`+name+`"}`)
				return
			}
			answers[i] = b.call("POST", "/Users", `{`+userSchema+`,"userName":"`+name+`"}`)
		})
	}
	close(gate)
	wg.Wait()
	good := 0
	for _, a := range answers {
		if a.Status == http.StatusOK || a.Status == http.StatusCreated {
			good++
			continue
		}
		b.refused(a, http.StatusConflict, "uniqueness")
	}
	if found, _ := b.list("/Users?filter=" + escape(`userName eq "`+strings.Repeat("A", callers)+`"`)); good != 1 || len(found) != 1 {
		t.Errorf("%d succeeded, and %d users have the name", good, len(found))
	}
}

// A change of which a part is refused changes nothing: not the name before it, not the externalId, and no session ends.
func TestAChangeOfAUserIsWhole(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.add("bob")
	id := b.add("carol")
	before := b.call("GET", "/Users/"+id, "").Expect(http.StatusOK).Body
	for part, op := range map[string]string{
		"a password that no login can send": `{"op":"replace","path":"password","value":"a\u0000b"}`,
		"a taken name":                      `{"op":"replace","path":"userName","value":"BOB"}`,
		"a bad time zone":                   `{"op":"replace","path":"timezone","value":"no zone!"}`,
	} {
		a := b.patch("/Users/"+id, `{"op":"replace","path":"active","value":false}`, `{"op":"replace","path":"externalId","value":"other"}`,
			`{"op":"replace","path":"displayName","value":"Other"}`, op)
		if a.Status != http.StatusBadRequest && a.Status != http.StatusConflict {
			t.Errorf("%s: %d %s", part, a.Status, a.Body)
		}
		if after := b.call("GET", "/Users/"+id, "").Expect(http.StatusOK).Body; after != before {
			t.Errorf("%s: before %s\nafter %s", part, before, after)
		}
	}
	// All of it at once, with one answer that shows it.
	a := b.patch("/Users/"+id, `{"op":"replace","path":"active","value":false}`, `{"op":"replace","path":"externalId","value":"other"}`,
		`{"op":"replace","path":"displayName","value":"Other"}`, `{"op":"replace","path":"password","value":"quite another password"}`).Expect(http.StatusOK).JSON()
	if a["active"] != false || a["externalId"] != "other" || a["displayName"] != "Other" {
		t.Errorf("%v", a)
	}
}
