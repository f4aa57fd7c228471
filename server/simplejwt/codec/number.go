package codec

import (
	"math"
	"strconv"
	"strings"
	"time"

	"latchkey/server/internal/pyjson"
)

// lastTime is the last second that Python's datetime can represent: simplejwt crashes beyond it.
const lastTime = 253402300799

// num is a number of a claim as Python compares it: an integer, cut off at the bounds of int64, or a float.
type num struct {
	int   int64
	float float64
	exact bool // int holds it
}

// number reads a claim that must be a number; a bool is one in Python. NaN and the infinite make simplejwt crash.
func number(value string) (num, bool) {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return num{int: n, exact: true}, true
	}
	v, _ := pyjson.Decode(value, pyjson.Options{})
	switch v := v.(type) {
	case bool:
		if v {
			return num{int: 1, exact: true}, true
		}
		return num{exact: true}, true
	case pyjson.Int:
		return saturate(strings.HasPrefix(string(v), "-")), true
	case pyjson.Float:
		f := float64(v)
		return num{float: f}, !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return num{}, false
}

// integer is Python's int() of a claim: of numbers, and of text that spells one.
func integer(value string) (num, bool) {
	if value[0] != '"' {
		n, ok := number(value)
		return n.whole(), ok
	}
	n, ok := pyjson.ParseInt(text(value))
	switch {
	case !ok:
		return num{}, false
	case n.IsInt64():
		return num{int: n.Int64(), exact: true}, true
	}
	return saturate(n.Sign() < 0), true
}

func saturate(negative bool) num {
	if negative {
		return num{int: math.MinInt64, exact: true}
	}
	return num{int: math.MaxInt64, exact: true}
}

// whole cuts the fraction off.
func (n num) whole() num {
	if n.exact {
		return n
	}
	f := math.Trunc(n.float)
	if f >= math.MinInt64 && f < math.MaxInt64 {
		return num{int: int64(f), exact: true}
	}
	return saturate(f < 0)
}

// after reports whether n > seconds + leeway.
func (n num) after(seconds int64, leeway float64) bool {
	if n.exact && leeway == 0 {
		return n.int > seconds
	}
	f := n.float
	if n.exact {
		f = float64(n.int)
	}
	return f > float64(seconds)+leeway
}

// time is the moment, to the microsecond; zero for one that is out of reach.
func (n num) time() time.Time {
	if n.exact {
		if n.int < -lastTime || n.int > lastTime {
			return time.Time{}
		}
		return time.Unix(n.int, 0).UTC()
	}
	if math.Abs(n.float) > lastTime {
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(n.float * 1e6))).UTC()
}

// text is what a JSON string says; empty for anything else.
func text(value string) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if inner := value[1 : len(value)-1]; strings.IndexByte(inner, '\\') < 0 {
		return inner
	}
	v, _ := pyjson.Decode(value, pyjson.Options{})
	s, _ := v.(string)
	return s
}

// isText reports whether a claim is the string s.
func isText(value, s string) bool { return value != "" && value[0] == '"' && text(value) == s }
