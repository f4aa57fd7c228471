package simplejwt_test

import (
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"latchkey/server/route"
	"latchkey/server/servertest"
	"latchkey/server/simplejwt"
)

// bodiesOf returns bodies of a size, each of a shape that is costly to hold.
func bodiesOf(size int) map[string]struct{ contentType, body string } {
	const form, jsonType, multipart = "application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=B"
	fill := func(prefix, unit, suffix string) string {
		return prefix + strings.Repeat(unit, (size-len(prefix)-len(suffix))/len(unit)) + suffix
	}
	type body = struct{ contentType, body string }
	return map[string]body{
		"numbers":     {jsonType, fill("[0", ",0", "]")},
		"objects":     {jsonType, fill("[{}", ",{}", "]")},
		"nested":      {jsonType, fill(`{"refresh":[[]`, ",[]", "]}")},
		"a token":     {jsonType, fill(`{"refresh":"`, "e", `"}`)},
		"escapes":     {jsonType, fill(`{"refresh":"`, `\n`, `"}`)},
		"UTF-16":      {jsonType + "; charset=utf-16le", fill("", "[\x00", "")},
		"a form":      {form, fill("refresh=", "%zz", "")},
		"many fields": {form, fill("", "a=b&", "")},
		"a file":      {multipart, fill("--B\r\nContent-Disposition: form-data; name=refresh; filename=x\r\n\r\n", "a", "\r\n--B--")},
		"separators":  {multipart, fill("", "--B", "")},
	}
}

// TestA11BodiesTakeLittleMemory: eight bodies at once were answered with 610 MiB of memory. It is not parallel, because it counts
// what the whole process allocates.
func TestA11BodiesTakeLittleMemory(t *testing.T) {
	const atOnce, maxFactor = 8, 24
	h := servertest.New(t).Handler()
	send := func(contentType, body string) int {
		r := httptest.NewRequest("POST", simplejwt.RefreshPath, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, size := range []int{route.DefaultMaxBody, 4 << 20} {
		for name, b := range bodiesOf(size) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var all sync.WaitGroup
			for range atOnce {
				all.Go(func() {
					code := send(b.contentType, b.body)
					if tooLarge := code == http.StatusRequestEntityTooLarge; tooLarge != (size > route.DefaultMaxBody) || code >= 500 {
						t.Errorf("%s, %d bytes: %d", name, size, code)
					}
				})
			}
			all.Wait()
			runtime.ReadMemStats(&after)
			// All that was allocated, whether or not it was held at the same time.
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > atOnce*maxFactor*route.DefaultMaxBody {
				t.Errorf("%s: %d bodies of %d bytes allocate %d KiB", name, atOnce, size, allocated>>10)
			}
		}
	}
}

func TestA11LargeBodiesAreRefusedInTheFrameworksForm(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{simplejwt.ObtainPath, simplejwt.RefreshPath, simplejwt.VerifyPath, simplejwt.BlacklistPath} {
		for excess, status := range map[int]int{0: 400, 1: 413} {
			r := httptest.NewRequest("POST", path, strings.NewReader("{}"+strings.Repeat(" ", route.DefaultMaxBody-2+excess)))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if w.Code != status || status == 413 && w.Body.String() != `{"detail":"The request body is too large."}` {
				t.Errorf("%s, %d bytes too many: %d %s", path, excess, w.Code, w.Body)
			}
		}
	}
}
