package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/server/console"
	"latchkey/server/keys"
	"latchkey/server/session"
)

// Issue 14, point 2: keys have a page of their own, which says what they are for and until when.
func TestKeysInTheConsole(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	if _, err := s.Keys().Rotate(t.Context(), keys.ES256, true); err != nil {
		t.Fatal(err)
	}
	page := b.Get(console.KeysPath)
	has(t, page, "90 days", "Access tokens; ID tokens of clients", "Published only", ">Signs<", "/oauth2/jwks")
	for _, k := range s.Keys().List() {
		has(t, page, k.KID)
	}
}

func TestOperatorsReplaceKeys(t *testing.T) {
	t.Parallel()
	s, b := operating(t)
	before := strings.Count(s.Get("/oauth2/jwks").Body, `"kid"`)
	if p := b.Post(console.KeysPath, "do", "nonsense"); p.Status != http.StatusBadRequest {
		t.Errorf("nonsense: %d", p.Status)
	}
	has(t, b.Get(console.KeysPath).FormWith("do").Submit(), "New keys are published.", "Signs later")
	if after := strings.Count(s.Get("/oauth2/jwks").Body, `"kid"`); before == 0 || after != 2*before {
		t.Errorf("%d keys, %d before", after, before)
	}
	s.Clock.Advance(session.ConfirmedFor + time.Second)
	if p := b.Post(console.KeysPath, "do", "rotate-keys"); !p.Has("/login") {
		t.Errorf("an old login replaces keys: %s", p.URL)
	}
}
