package pyjson

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// recorded is what Python 3.11 made of a text.
type recorded struct {
	In     string  `json:"in"`
	Prefix string  `json:"prefix"`
	Unit   string  `json:"unit"`
	Count  int     `json:"count"`
	Suffix string  `json:"suffix_unit"`
	Out    *string `json:"out"`
	Err    *string `json:"err"`
}

func (r recorded) text() string {
	return r.In + r.Prefix + strings.Repeat(r.Unit, r.Count) + strings.Repeat(r.Suffix, r.Count)
}

func read(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func TestDecodeIsPythons(t *testing.T) {
	t.Parallel()
	var cases []recorded
	read(t, "python311.json", &cases)
	if len(cases) < 400 {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		v, err := Decode(c.text(), Options{})
		switch {
		case c.Err != nil && (err == nil || err.Error() != *c.Err):
			t.Errorf("%.200q: %v, want %s", c.text(), err, *c.Err)
		case c.Err == nil && err != nil:
			t.Errorf("%.200q: %v", c.text(), err)
		case c.Out != nil:
			if got := string(Append(nil, v)); got != *c.Out {
				t.Errorf("%.200q: %s, want %s", c.text(), got, *c.Out)
			}
		}
	}
}

func TestReprIsPythons(t *testing.T) {
	t.Parallel()
	var cases []struct{ Bits, Repr string }
	read(t, "floats.json", &cases)
	for _, c := range cases {
		bits, _ := strconv.ParseUint(c.Bits, 16, 64)
		if got := Float(math.Float64frombits(bits)).Repr(); got != c.Repr {
			t.Errorf("%s: %s, want %s", c.Bits, got, c.Repr)
		}
	}
}

func TestStrictRefusesWhatIsNotFinite(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"NaN", "Infinity", "-Infinity"} {
		_, err := Decode(`{"a":`+text+`}`, Options{Strict: true})
		if want := "Out of range float values are not JSON compliant: '" + text + "'"; err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	if v, err := Decode("1e400", Options{Strict: true}); err != nil || v != Float(math.Inf(1)) {
		t.Errorf("a number that is too great is infinite, and no constant: %v %v", v, err)
	}
}

func TestUniqueRefusesAKeyThatComesTwice(t *testing.T) {
	t.Parallel()
	if _, err := Decode(`{"a":1,"b":{"\u0061":1,"a":2}}`, Options{Unique: true}); err == nil {
		t.Error("accepted")
	}
	if _, err := Decode(`{"a":1,"b":{"a":2}}`, Options{Unique: true}); err != nil {
		t.Error(err)
	}
}

func TestNestingHasABound(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat("]}", n/2) }
	if _, err := Decode(deep(maxDepth), Options{}); err != nil {
		t.Error(err)
	}
	for _, n := range []int{maxDepth + 2, 10_000, 1_000_000} {
		_, err := Decode(deep(n), Options{})
		var e *Error
		if !errors.As(err, &e) || !e.Deep {
			t.Errorf("%d levels: %v", n, err)
		}
	}
}

func TestDictKeepsTheOrderOfManyKeys(t *testing.T) {
	t.Parallel()
	var d Dict
	for i := range 100 {
		d.Set(strconv.Itoa(i%60), Int(strconv.Itoa(i)))
	}
	if n := len(d.Members()); n != 60 {
		t.Fatalf("%d members", n)
	}
	for i, m := range d.Members() {
		want := i
		if i < 40 {
			want += 60
		}
		if v, ok := d.Get(m.Key); m.Key != strconv.Itoa(i) || !ok || v != Int(strconv.Itoa(want)) {
			t.Errorf("%d: %s is %v", i, m.Key, v)
		}
	}
}

func TestStripTakesPythonsWhiteSpace(t *testing.T) {
	t.Parallel()
	const space = "\t\n\v\f\r\x1c\x1d\x1e\x1f \u0085\u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"
	if got := Strip(space + "a" + space + "b" + space); got != "a"+space+"b" {
		t.Errorf("%q", got)
	}
	for _, kept := range []string{"\u200b", "\ufeff", "\u2060", "\u180e", "\x00", "\x1b"} {
		if got := Strip(kept); got != kept {
			t.Errorf("%q is no white space", kept)
		}
	}
}

func TestParseIntIsPythonsInt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1": "1", " 1 ": "1", "+1": "1", "-1": "-1", "01": "1", "-0": "0", "1_000": "1000", "٣": "3", "𝟏𝟗": "19", "\u00a07\u3000": "7",
		"": "", "+": "", "_1": "", "1_": "", "1__0": "", "1.0": "", "0x1": "", "1 2": "", "²": "", "½": "", "--1": "", "+-1": "",
		"- 1": "", "1e3": "", "1\x00": "",
	} {
		n, ok := ParseInt(text)
		if ok != (want != "") || ok && n.String() != want {
			t.Errorf("%q: %v %v, want %q", text, n, ok, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	var cases []recorded
	read(f, "python311.json", &cases)
	for _, c := range cases {
		if c.Unit == "" {
			f.Add(c.In)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Decode(text, Options{})
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("not an *Error: %v", err)
			}
			return
		}
		written := string(Append(nil, v))
		again, err := Decode(written, Options{})
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, written, err)
		}
		if rewritten := string(Append(nil, again)); rewritten != written {
			t.Fatalf("%q, then %q", written, rewritten)
		}
	})
}
