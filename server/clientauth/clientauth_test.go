package clientauth

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/storage"
)

func basic(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }

// first returns the likeliest reading.
func first(header string) (id string, secret storage.Secret, ok bool) {
	readings := parseBasic(header)
	if len(readings) == 0 {
		return "", "", false
	}
	return readings[0].id, readings[0].secret, true
}

func TestRowQReadingsOfBasic(t *testing.T) {
	t.Parallel()
	for pair, want := range map[string][]reading{
		"id:secret":           {{"id", "secret"}},
		"a+b:c%2Bd":           {{"a b", "c+d"}, {"a+b", "c%2Bd"}},
		"id:50%":              {{"id", "50%"}},
		"id:%zz":              {{"id", "%zz"}},
		"id:%ff":              {{"id", "%ff"}}, // decoded it is not UTF-8
		"id:%00":              {{"id", "%00"}},
		"https://a/b:s":       {{"https", "//a/b:s"}, {"https://a/b", "s"}},
		"https://a/b:s+t":     {{"https", "//a/b:s t"}, {"https", "//a/b:s+t"}, {"https://a/b", "s+t"}},
		":::":                 {{"::", ""}},
		"%3A:a:b:c:d:e:f:%3A": {{":", "a:b:c:d:e:f::"}, {"%3A", "a:b:c:d:e:f:%3A"}, {"%3A:a:b:c:d:e:f", "%3A"}},
	} {
		if got := parseBasic(basic(pair)); !slices.Equal(got, want) {
			t.Errorf("%s: %d readings, want %d; the first client is %q", pair, len(got), len(want), got[0].id)
		}
	}
}

func TestParseBasic(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, header, id, secret string }{
		{"plain", basic("id:secret"), "id", "secret"},
		{"scheme in another case", "bAsIc " + basic("id:secret")[6:], "id", "secret"},
		{"more space", "Basic   " + basic("id:secret")[6:] + " ", "id", "secret"},
		{"encoded", basic("https%3A%2F%2Fa%2Fid:se%3Acr%25et+x"), "https://a/id", "se:cr%et x"},
		{"a colon in the secret", basic("id:a:b"), "id", "a:b"},
		{"not ASCII", basic("id:%C3%A9"), "id", "é"},
		{"no secret", basic("id:"), "id", ""},
	} {
		id, secret, ok := first(c.header)
		if !ok || id != c.id || secret.Reveal() != c.secret {
			t.Errorf("%s: %q, %q, %v", c.name, id, secret.Reveal(), ok)
		}
	}
	for name, header := range map[string]string{
		"empty":               "",
		"scheme alone":        "Basic",
		"nothing behind it":   "Basic ",
		"another scheme":      "Bearer " + basic("id:secret")[6:],
		"no colon":            basic("idsecret"),
		"no id":               basic(":secret"),
		"not UTF-8, in clear": basic("id:\xff"),
		"NUL, in clear":       basic("i\x00d:x"),
		"no padding":          "Basic " + base64.RawStdEncoding.EncodeToString([]byte("id:secret!")),
		"too much padding":    basic("id:secret!") + "=",
		"loose last bits":     "Basic aWQ6eB==", // decodes to id:x, which encodes as aWQ6eA==
		"line break":          "Basic aWQ6\neA==",
		"the URL alphabet":    "Basic " + base64.URLEncoding.EncodeToString([]byte("id:?>?>?>")),
		"two":                 basic("id:secret") + " " + basic("id:secret")[6:],
		"parameters":          basic("id:secret") + `, realm="x"`,
	} {
		if id, _, ok := first(header); ok {
			t.Errorf("%s: gives the client %q", name, id)
		}
	}
}

// What parses has one spelling in base64, and both halves are text.
func FuzzParseBasic(f *testing.F) {
	for _, seed := range []string{"", "Basic", basic("id:secret"), basic("i%3Ad:s%25"), "Basic aWQ6eB==", "Bearer x", basic(":"), basic("\xff:")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		readings := parseBasic(header)
		if len(readings) == 0 {
			return
		}
		for _, r := range readings {
			if r.id == "" || !utf8.ValidString(r.id+r.secret.Reveal()) || strings.ContainsRune(r.id+r.secret.Reveal(), 0) {
				t.Errorf("%q, %q", r.id, r.secret.Reveal())
			}
		}
		if len(readings) > 3 {
			t.Errorf("%d readings", len(readings))
		}
		id, secret := readings[0].id, readings[0].secret
		encoded := strings.Trim(header[len("Basic "):], " ")
		pair, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || base64.StdEncoding.EncodeToString(pair) != encoded {
			t.Errorf("%q is not the one spelling of %q", encoded, pair)
		}
		id2, secret2, ok := first(basic(url.QueryEscape(id) + ":" + url.QueryEscape(secret.Reveal())))
		if !ok || id2 != id || secret2 != secret {
			t.Errorf("written again: %q, %q, %v", id2, secret2.Reveal(), ok)
		}
	})
}
