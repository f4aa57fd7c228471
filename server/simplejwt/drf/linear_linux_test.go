package drf

import (
	"bytes"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"latchkey/server/internal/pyjson"
)

// cpu returns the least CPU time that f takes in a few runs. What other processes and goroutines do doesn't count.
func cpu(t *testing.T, f func()) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now := func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			t.Fatal(err)
		}
		return time.Duration(ts.Nano())
	}
	least := time.Duration(1<<63 - 1)
	for range 5 {
		start := now()
		f()
		if least = min(least, now()-start); least > time.Second {
			break
		}
	}
	return least
}

// TestA1HeadersTakeLittleTime: 35 KB of one header took 3.6 s of CPU, before anybody had logged in.
func TestA1HeadersTakeLittleTime(t *testing.T) {
	const limit = 35 * time.Millisecond
	v := echo()
	for _, unit := range hostileHeaders {
		for _, size := range []int{maxHeader - 100, 35 << 10} {
			text := strings.Repeat(unit, size/len(unit))
			for _, header := range []string{"Content-Type", "Accept", "X-Other"} {
				for _, prefix := range []string{"", "application/json; x=", `multipart/form-data; boundary="`, "*/*;indent=", "*/*,application/json;indent="} {
					took := cpu(t, func() {
						r := post("application/json", `{"username":"a","password":"b"}`)
						r.URL.RawQuery = "a=b"
						r.Header.Set(header, prefix+text)
						if w := serve(v, r); w.Code >= 500 {
							t.Errorf("%s: %s%s…: %d", header, prefix, unit, w.Code)
						}
					})
					if took > limit {
						t.Errorf("%s: %s%s…, %d bytes: %v", header, prefix, unit, size, took)
					}
				}
			}
		}
	}
}

func TestA1LongHeadersAreRefused(t *testing.T) {
	t.Parallel()
	v := echo()
	for _, header := range []string{"Content-Type", "Accept"} {
		for length, status := range map[int]int{maxHeader: 200, maxHeader + 1: 400} {
			value := "application/json; x="
			value += strings.Repeat("y", length-len(value))
			w := serve(v, post("application/json", `{"username":"a","password":"b"}`, header, value))
			if w.Code != status || status == 400 && w.Body.String() != badRequestPage {
				t.Errorf("%s of %d bytes: %d %.100s", header, length, w.Code, w.Body)
			}
		}
	}
	r := post("application/json", "{}")
	r.Header["Accept"] = []string{strings.Repeat("a", maxHeader/2), strings.Repeat("b", maxHeader/2)}
	if w := serve(v, r); w.Code != 400 || w.Body.String() != badRequestPage {
		t.Errorf("two lines of Accept: %d %.100s", w.Code, w.Body)
	}
}

// TestA1ParsersAreLinear: eight times the input takes about eight times the CPU time. A quadratic parser takes 64 times as long.
func TestA1ParsersAreLinear(t *testing.T) {
	const small, factor, bound = 8 << 10, 8, 24 // up to the cap of a body
	for name, parse := range parsers() {
		for _, unit := range units(name) {
			count := small / len(unit) &^ 3 // UTF-16 of an odd length would be read in another way
			run := func(count int) time.Duration {
				input := bytes.Repeat([]byte(unit), count)
				return cpu(t, func() { parse(input) })
			}
			// Below some time the clock and the garbage collector are all that is measured.
			few, many := run(count), run(factor*count)
			if many > 5*time.Millisecond && many > bound*few {
				t.Errorf("%s of %q: %v for %d bytes, %v for %d times as many", name, unit, few, small, many, factor)
			}
		}
	}
}

// parsers are all parsers of the package, each without its cap.
func parsers() map[string]func([]byte) {
	v := echo()
	all := map[string]func([]byte){
		"header":        func(b []byte) { parseMediaType(string(b)).param("x") },
		"header quoted": func(b []byte) { parseMediaType(`a/b; x="` + string(b)).param("x") },
		"part header": func(b []byte) {
			parsePartHeader(append([]byte("content-disposition: form-data; name="), b...))
		},
		"accept": func(b []byte) {
			r := httptest.NewRequest("POST", "/", nil)
			r.Header.Set("Accept", string(b))
			negotiate(r, content{codec: utf8Codec})
		},
		"indentation":    func(b []byte) { pyjson.ParseInt(string(b)) },
		"multipart body": func(b []byte) { parseMultipart(b, multipartB) },
		"JSON":           func(b []byte) { parseJSON(b, utf8Codec, v.isField) },
		"JSON array":     func(b []byte) { parseJSON(append([]byte("["), b...), utf8Codec, v.isField) },
		"JSON object":    func(b []byte) { parseJSON(append([]byte(`{"username":"`), b...), utf8Codec, v.isField) },
		"form":           func(b []byte) { parseForm(b, utf8Codec) },
		"UTF-16 form":    func(b []byte) { parseForm(b, charsetCodec("utf-16")) },
	}
	for _, charset := range []string{"utf-8", "utf-8-sig", "utf-16", "utf-16le", "utf-16be", "ascii", "latin-1"} {
		c := charsetCodec(charset)
		all[charset] = func(b []byte) {
			c.strict(b)
			c.replace(b)
			c.stream(b)
		}
	}
	return all
}

// units are the pieces that the inputs of a parser consist of.
func units(parser string) []string {
	switch {
	case strings.HasPrefix(parser, "JSON"):
		return []string{"0,", "[", `{"a":`, `"`, `\`, `\u0041`, `\ud800`, "\n", " ", `"a":1,`, "1", "-", "0.1e1,", "é", `\"`, "{},"}
	case parser == "multipart body":
		return []string{
			"--B", "--B\r\n", "--", "-", "\r\n\r\n", "--B\r\nContent-Disposition: form-data; name=x\r\n\r\ny\r\n",
			"--B\r\nContent-Disposition: form-data; filename=x\r\n\r\n\r\n", "--B\r\nContent-Transfer-Encoding: base64\r\n\r\n",
		}
	case strings.HasSuffix(parser, "form"):
		return []string{"%", "%zz", "%41", "+", "&", "=", "a", "é", "\xff", "%ff", "%é"}
	case parser == "part header":
		return append([]string{"\r\n", ":", "content-disposition:", "content-disposition: x; name=y\r\n"}, hostileHeaders...)
	case strings.HasPrefix(parser, "header"), parser == "accept", parser == "indentation":
		return hostileHeaders
	}
	return []string{"a", "\xff", "\xff\xfe", "\xc3", "\xf0\x9f\x98", "\xffaaaaaaa", "\x00\xd8", "\xd8\x00", "\xdc\x00", "é"}
}
