package dpop_test

import (
	"errors"
	"testing"
	"time"

	"latchkey/server/dpop"
	"latchkey/server/protocol"
)

// A proof that nobody has signed is refused with an error of the protocol, whatever it is.
func FuzzRead(f *testing.F) {
	c := dpop.New(dpop.Config{NonceKeys: [][]byte{make([]byte, 32)}, Now: time.Now})
	f.Add("eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoiQUEiLCJ5IjoiQUEifX0.e30.AAAA", "https://a/token")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, proof, url string) {
		var e *protocol.Error
		if p, err := c.Read(dpop.Presented{Headers: []string{proof}, Method: "POST", URL: url}); err == nil || p != nil || !errors.As(err, &e) {
			t.Errorf("%q: %v, %v", proof, p, err)
		}
	})
}
