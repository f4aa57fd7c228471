package pyjson

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deeply arrays and objects may be nested. Python's own limit is 1000 calls in all, of which the server
// around the parser takes some; see docs/divergences.md.
const maxDepth = 958

// maxDigits is Python's default for sys.set_int_max_str_digits.
const maxDigits = 4300

// Options select how Decode differs from json.loads.
type Options struct {
	// Strict refuses NaN, Infinity and -Infinity, in the words of Django REST framework.
	Strict bool
	// Unique refuses an object with a key that comes twice, which Python allows.
	Unique bool
	// Only, unless it is nil, selects the members of the outermost object that Decode returns. Of everything else it checks the
	// syntax and keeps nothing, whatever the text's size.
	Only func(key string) bool
}

// Error is what Python raises for text that is no JSON: its message is that of str(exception).
type Error struct {
	Message string
	// Deep is true for a text that is nested too deeply, for which Python raises a RecursionError.
	Deep bool
}

func (e *Error) Error() string { return e.Message }

// Decode reads one JSON text, like json.loads of a str. The error is an *Error.
func Decode(text string, o Options) (Value, error) {
	if strings.HasPrefix(text, "\ufeff") {
		return nil, at("Unexpected UTF-8 BOM (decode using utf-8-sig)", text, 0)
	}
	d := decoder{text: text, options: o}
	v, end, err := d.value(d.space(0), 0)
	if err != nil {
		return nil, err
	}
	if end = d.space(end); end != len(text) {
		return nil, at("Extra data", text, end)
	}
	return v, nil
}

// DecodeDict is Decode for a text that must be an object.
func DecodeDict(text string, o Options) (d *Dict, ok bool) {
	v, err := Decode(text, o)
	if err == nil {
		d, ok = v.(*Dict)
	}
	return d, ok
}

// at returns an error with the text of JSONDecodeError: lines end with \n, columns and positions are characters.
func at(message, text string, pos int) *Error {
	before := text[:pos]
	line := 1 + strings.Count(before, "\n")
	column := characters(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &Error{Message: fmt.Sprintf("%s: line %d column %d (char %d)", message, line, column, characters(before))}
}

// characters counts as Python does: an unpaired surrogate is one character.
func characters(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if utf8.RuneStart(s[i]) {
			n++
		}
	}
	return n
}

type decoder struct {
	text    string
	options Options
}

// space skips JSON's white space from i on.
func (d *decoder) space(i int) int {
	for i < len(d.text) {
		switch d.text[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// is reports whether the byte at i is c.
func (d *decoder) is(i int, c byte) bool { return i < len(d.text) && d.text[i] == c }

func (d *decoder) value(i, depth int) (Value, int, error) {
	if i < len(d.text) {
		switch d.text[i] {
		case '"':
			return d.string(i)
		case '{', '[':
			return d.nested(i, depth+1)
		case 'n', 't', 'f', 'N', 'I', '-':
			if v, end, err := d.word(i); end > 0 || err != nil {
				return v, end, err
			}
		}
	}
	return d.number(i)
}

func (d *decoder) nested(i, depth int) (Value, int, error) {
	kind, read := "object", d.object
	if d.text[i] == '[' {
		kind, read = "array", d.array
	}
	if depth > maxDepth {
		return nil, 0, &Error{
			Message: "maximum recursion depth exceeded while decoding a JSON " + kind + " from a unicode string",
			Deep:    true,
		}
	}
	return read(i+1, depth)
}

var words = []struct {
	text     string
	value    Value
	constant bool
}{
	{"null", nil, false},
	{"true", true, false},
	{"false", false, false},
	{"NaN", Float(math.NaN()), true},
	{"Infinity", Float(math.Inf(1)), true},
	{"-Infinity", Float(math.Inf(-1)), true},
}

// word reads a literal name; end is 0 when there is none.
func (d *decoder) word(i int) (Value, int, error) {
	for _, w := range words {
		if strings.HasPrefix(d.text[i:], w.text) {
			if w.constant && d.options.Strict {
				return nil, 0, &Error{Message: "Out of range float values are not JSON compliant: '" + w.text + "'"}
			}
			return w.value, i + len(w.text), nil
		}
	}
	return nil, 0, nil
}

func (d *decoder) object(i, depth int) (Value, int, error) {
	dict := &Dict{}
	i = d.space(i)
	if d.is(i, '}') {
		return dict, i + 1, nil
	}
	for {
		if !d.is(i, '"') {
			return nil, 0, at("Expecting property name enclosed in double quotes", d.text, i)
		}
		key, end, err := d.string(i)
		if err != nil {
			return nil, 0, err
		}
		if i = d.space(end); !d.is(i, ':') {
			return nil, 0, at("Expecting ':' delimiter", d.text, i)
		}
		v, end, err := d.value(d.space(i+1), depth)
		if err != nil {
			return nil, 0, err
		}
		if _, twice := dict.Get(key); twice && d.options.Unique {
			return nil, 0, &Error{Message: "Duplicate key"}
		}
		if d.options.Only == nil || depth == 1 && d.options.Only(key) {
			dict.Set(key, v)
		}
		i = d.space(end)
		if d.is(i, '}') {
			return dict, i + 1, nil
		}
		if !d.is(i, ',') {
			return nil, 0, at("Expecting ',' delimiter", d.text, i)
		}
		i = d.space(i + 1)
	}
}

func (d *decoder) array(i, depth int) (Value, int, error) {
	list := List{}
	i = d.space(i)
	if d.is(i, ']') {
		return list, i + 1, nil
	}
	for {
		v, end, err := d.value(i, depth)
		if err != nil {
			return nil, 0, err
		}
		if d.options.Only == nil {
			list = append(list, v)
		}
		i = d.space(end)
		if d.is(i, ']') {
			return list, i + 1, nil
		}
		if !d.is(i, ',') {
			return nil, 0, at("Expecting ',' delimiter", d.text, i)
		}
		i = d.space(i + 1)
	}
}

// number reads what JSON calls a number; a rest that can't belong to it is left, as Python leaves it.
func (d *decoder) number(start int) (Value, int, error) {
	i := start
	if d.is(i, '-') {
		i++
	}
	switch {
	case d.is(i, '0'):
		i++
	case d.digit(i):
		i = d.digits(i)
	default:
		return nil, 0, at("Expecting value", d.text, start)
	}
	whole := i
	if d.is(i, '.') && d.digit(i+1) {
		i = d.digits(i + 1)
	}
	if d.is(i, 'e') || d.is(i, 'E') {
		exponent := i + 1
		if d.is(exponent, '+') || d.is(exponent, '-') {
			exponent++
		}
		if d.digit(exponent) {
			i = d.digits(exponent)
		}
	}
	if i > whole {
		f, _ := strconv.ParseFloat(d.text[start:i], 64) // out of range: ±Inf, as in Python
		return Float(f), i, nil
	}
	n, err := newInt(d.text[start:i])
	return n, i, err
}

// newInt takes the digits of an integer as JSON writes them.
func newInt(text string) (Value, error) {
	if digits := len(strings.TrimPrefix(text, "-")); digits > maxDigits {
		return nil, &Error{Message: fmt.Sprintf("Exceeds the limit (%d digits) for integer string conversion: "+
			"value has %d digits; use sys.set_int_max_str_digits() to increase the limit", maxDigits, digits)}
	}
	if text == "-0" {
		text = "0"
	}
	return Int(text), nil
}

func (d *decoder) digit(i int) bool {
	return i < len(d.text) && '0' <= d.text[i] && d.text[i] <= '9'
}

func (d *decoder) digits(i int) int {
	for d.digit(i) {
		i++
	}
	return i
}
