package codec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"latchkey/server/internal/pyjson"
)

// The claims that Latchkey adds: the session and the position in its chain (docs/rotation.md).
const (
	familyClaim     = "fam"
	generationClaim = "gen"
	parentClaim     = "par"
	sessionClaim    = "sid"
	// sealClaim shows that Latchkey has written a refresh token, and not somebody else who has the key that signs it.
	sealClaim = "seal"
)

// refreshUntilClaim is a claim of simplejwt: the time after which a sliding token can't be refreshed.
const refreshUntilClaim = "refresh_exp"

// Claim is one claim of a token. Its value is JSON text, as Python writes it.
type Claim struct {
	Name  string
	Value string
}

// StringClaim makes a claim of a text.
func StringClaim(name, value string) Claim {
	return Claim{name, string(pyjson.AppendString(nil, value))}
}

// IntClaim makes a claim of a number.
func IntClaim(name string, value int64) Claim {
	return Claim{name, strconv.FormatInt(value, 10)}
}

// IDClaim makes a claim of an id: a number if it is an integer as Python writes one, else text.
func IDClaim(name, id string) Claim {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil && strconv.FormatInt(n, 10) == id {
		return IntClaim(name, n)
	}
	return StringClaim(name, id)
}

// BoolClaim makes a claim of a truth value.
func BoolClaim(name string, value bool) Claim { return Claim{name, strconv.FormatBool(value)} }

// JSONClaim makes a claim of any value that encoding/json can write.
func JSONClaim(name string, value any) (Claim, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return Claim{}, fmt.Errorf("claim %s: %w", name, err)
	}
	v, err := pyjson.Decode(string(text), pyjson.Options{})
	if err != nil {
		return Claim{}, fmt.Errorf("claim %s: %w", name, err)
	}
	return Claim{name, string(pyjson.Append(nil, v))}, nil
}

// NoClaim, among the extra claims of a token, removes the claim from a token that is made from another one.
func NoClaim(name string) Claim { return Claim{Name: name} }

// claims are the claims of a payload in their order; no name comes twice.
type claims []Claim

func (cs claims) find(name string) int {
	for i := range cs {
		if cs[i].Name == name {
			return i
		}
	}
	return -1
}

func (cs claims) get(name string) (string, bool) {
	if i := cs.find(name); i >= 0 {
		return cs[i].Value, true
	}
	return "", false
}

// set replaces a claim in its place, or appends it, as a Python dict does.
func (cs claims) set(c Claim) claims {
	if i := cs.find(c.Name); i >= 0 {
		cs[i].Value = c.Value
		return cs
	}
	return append(cs, c)
}

// insert replaces claims in their place; those that are not there follow the claim of the given name, in their order. Those without a
// value are removed.
func (cs claims) insert(behind string, extra []Claim) claims {
	for _, c := range extra {
		if c.Value == "" {
			cs = cs.remove(c.Name)
			continue
		}
		if i := cs.find(c.Name); i >= 0 {
			cs[i].Value = c.Value
		} else {
			cs = slices.Insert(cs, cs.find(behind)+1, c)
		}
		behind = c.Name
	}
	return cs
}

func (cs claims) remove(name string) claims {
	if i := cs.find(name); i >= 0 {
		return append(cs[:i], cs[i+1:]...)
	}
	return cs
}

func (cs claims) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range cs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(pyjson.AppendString(dst, cs[i].Name), ':')
		dst = append(dst, cs[i].Value...)
	}
	return append(dst, '}')
}

// parseClaims reads a payload. What this server and simplejwt write is read without a copy; the rest by pyjson.
func parseClaims(payload string) (claims, bool) {
	if cs, ok := parsePlain(payload); ok {
		return cs, true
	}
	if !wellEncoded(payload) {
		return nil, false
	}
	// json.loads of bytes allows the byte order mark that it forbids in text.
	v, err := pyjson.Decode(strings.TrimPrefix(payload, "\ufeff"), pyjson.Options{})
	if err != nil {
		return nil, false
	}
	dict, ok := v.(*pyjson.Dict)
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
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			if i+2 >= len(s) || s[i] != 0xed || s[i+1] < 0xa0 || s[i+1] > 0xbf || s[i+2]&0xc0 != 0x80 {
				return false
			}
			size = 3
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
