package codec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

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

// text returns what a claim says if it is text, else an empty string.
func (cs claims) text(name string) string {
	value, _ := cs.get(name)
	return text(value)
}

// set replaces a claim in its place, or appends it, as a Python dict does. One without a value is removed.
func (cs claims) set(c Claim) claims {
	i := cs.find(c.Name)
	switch {
	case c.Value == "":
		return cs.remove(c.Name)
	case i < 0:
		return append(cs, c)
	}
	cs[i].Value = c.Value
	return cs
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
