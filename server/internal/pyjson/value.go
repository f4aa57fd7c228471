package pyjson

import (
	"math"
	"strconv"
	"strings"
)

// A Value is one of: nil, bool, Int, Float, string, List, *Dict.
type Value any

// Int is an integer of any size, in the form that Python's repr has: no leading zeros, no plus, no "-0".
type Int string

// Float is a float; Python reads numbers beyond its range as infinite.
type Float float64

// List is a JSON array.
type List []Value

// Dict is a JSON object in the order of its keys; of a key that comes twice the last value counts, at the first place.
type Dict struct {
	members []Member
	index   map[string]int // only when there are many
}

// Member is one key of a Dict with its value.
type Member struct {
	Key   string
	Value Value
}

// indexFrom is how many members a Dict searches one by one.
const indexFrom = 16

// Get returns the value of a key.
func (d *Dict) Get(key string) (Value, bool) {
	if i := d.find(key); i >= 0 {
		return d.members[i].Value, true
	}
	return nil, false
}

// Members returns the members in their order. The slice is the Dict's own.
func (d *Dict) Members() []Member { return d.members }

// Set puts a value at its key.
func (d *Dict) Set(key string, v Value) {
	if i := d.find(key); i >= 0 {
		d.members[i].Value = v
		return
	}
	d.members = append(d.members, Member{key, v})
	switch n := len(d.members); {
	case d.index != nil:
		d.index[key] = n - 1
	case n > indexFrom:
		d.index = make(map[string]int, 2*n)
		for i, m := range d.members {
			d.index[m.Key] = i
		}
	}
}

func (d *Dict) find(key string) int {
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range d.members {
		if d.members[i].Key == key {
			return i
		}
	}
	return -1
}

// TypeName is the name of the Python type: NoneType, bool, int, float, str, list, dict.
func TypeName(v Value) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case Int:
		return "int"
	case Float:
		return "float"
	case string:
		return "str"
	case List:
		return "list"
	default:
		return "dict"
	}
}

// Repr is Python's repr of a float: the shortest digits that give the same float again, with an exponent from 1e16 up
// and below 1e-4.
func (f Float) Repr() string {
	x := float64(f)
	switch {
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 1):
		return "inf"
	case math.IsInf(x, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(x, 'e', -1, 64)
	exponent, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:])
	if exponent >= 16 || exponent < -4 {
		return s // Go and Python agree on at least two digits of exponent
	}
	s = strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
