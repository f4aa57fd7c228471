package codec

import (
	"strings"
	"unicode/utf8"

	"latchkey/server/internal/pyjson"
)

// parseClaims reads a payload. What this server and simplejwt write is read without a copy; the rest by pyjson.
func parseClaims(payload string) (claims, bool) {
	if cs, ok := parsePlain(payload); ok {
		return cs, true
	}
	if !wellEncoded(payload) {
		return nil, false
	}
	// json.loads of bytes allows the byte order mark that it forbids in text.
	dict, ok := pyjson.DecodeDict(strings.TrimPrefix(payload, "\ufeff"), pyjson.Options{})
	if !ok {
		return nil, false
	}
	cs := make(claims, 0, len(dict.Members()))
	for _, m := range dict.Members() {
		cs = append(cs, Claim{m.Key, string(pyjson.Append(nil, m.Value))})
	}
	return cs, true
}

// wellEncoded reports whether s is UTF-8 in the sense of Python's "surrogatepass", which lets surrogates through.
func wellEncoded(s string) bool {
	for i := 0; i < len(s); {
		r, size := pyjson.DecodeRune(s[i:])
		if r == utf8.RuneError && size == 1 {
			return false
		}
		i += size
	}
	return true
}

// maxPlain bounds the search for names that come twice.
const maxPlain = 24

// parsePlain reads an object without white space, of few members whose values are canonical: plain ASCII strings, integers and
// literal names. It refuses everything else, right or wrong.
func parsePlain(s string) (claims, bool) {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, false
	}
	cs := make(claims, 0, 12)
	for i := 1; ; i++ {
		name := plainString(s, i)
		if name < 0 || name+1 >= len(s) || s[name] != ':' || len(cs) == maxPlain || cs.find(s[i+1:name-1]) >= 0 {
			return nil, false
		}
		end := plainValue(s, name+1)
		if end < 0 || end >= len(s) {
			return nil, false
		}
		cs = append(cs, Claim{s[i+1 : name-1], s[name+1 : end]})
		i = end
		if s[i] == '}' {
			return cs, i == len(s)-1
		}
		if s[i] != ',' {
			return nil, false
		}
	}
}

// plainString returns the index after the string that begins at i, or -1.
func plainString(s string, i int) int {
	if i >= len(s) || s[i] != '"' {
		return -1
	}
	for i++; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return i + 1
		case c == '\\' || c < ' ' || c > '~':
			return -1
		}
	}
	return -1
}

// plainValue returns the index after the value that begins at i, or -1.
func plainValue(s string, i int) int {
	if i < len(s) && s[i] == '"' {
		return plainString(s, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s[i:], word) {
			return i + len(word)
		}
	}
	digits := i
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	if n := i - digits; n == 0 || n > 18 || n > 1 && s[digits] == '0' {
		return -1
	}
	return i
}
