package pyjson

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Append writes v as json.dumps(v, separators=(",", ":")) does: ASCII only, keys in their order, NaN as NaN.
func Append(dst []byte, v Value) []byte { return AppendFunc(dst, v, AppendString) }

// AppendFunc is Append with another function that writes the strings.
func AppendFunc(dst []byte, v Value, appendString func([]byte, string) []byte) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case Int:
		return append(dst, v...)
	case Float:
		return appendFloat(dst, v)
	case string:
		return appendString(dst, v)
	case List:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendFunc(dst, item, appendString)
		}
		return append(dst, ']')
	case *Dict:
		dst = append(dst, '{')
		for i, m := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, m.Key), ':')
			dst = AppendFunc(dst, m.Value, appendString)
		}
		return append(dst, '}')
	}
	return dst
}

// appendFloat writes what is not finite as Python does, though it is no JSON.
func appendFloat(dst []byte, f Float) []byte {
	switch s := f.Repr(); s {
	case "nan":
		return append(dst, "NaN"...)
	case "inf":
		return append(dst, "Infinity"...)
	case "-inf":
		return append(dst, "-Infinity"...)
	default:
		return append(dst, s...)
	}
}

// AppendString writes s in ASCII (Python's ensure_ascii), everything beyond as \uXXXX.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && ' ' <= s[i] && s[i] <= '~' && s[i] != '"' && s[i] != '\\' {
			i++
		}
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			break
		}
		c, size := DecodeRune(s[i:])
		dst = appendEscaped(dst, c)
		i += size
	}
	return append(dst, '"')
}

// DecodeRune is utf8.DecodeRuneInString for text that may hold surrogates.
func DecodeRune(s string) (rune, int) {
	if len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf && s[2]&0xc0 == 0x80 {
		return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return utf8.DecodeRuneInString(s)
}

func appendEscaped(dst []byte, c rune) []byte {
	if which := strings.IndexRune(escaped, c); which >= 0 {
		return append(dst, '\\', escapes[which])
	}
	if c > 0xffff {
		high, low := utf16.EncodeRune(c)
		return appendHex(appendHex(dst, high), low)
	}
	return appendHex(dst, c)
}

func appendHex(dst []byte, c rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[c>>12&15], digits[c>>8&15], digits[c>>4&15], digits[c&15])
}
