package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		want       form // nil = refused
	}{
		{"empty", "", form{}},
		{"plain", "a=1&b=2", form{"a": {"1"}, "b": {"2"}}},
		{"encoded", "a=%C3%A9+%2B%26&%62=x", form{"a": {"é +&"}, "b": {"x"}}},
		{"not encoded", "a=é&b=x:/?@", form{"a": {"é"}, "b": {"x:/?@"}}},
		{"needless separators", "&a=1&&", form{"a": {"1"}}},
		{"an equals sign in the value", "a=b=c", form{"a": {"b=c"}}},
		{"a semicolon separates nothing", "a=1;b=2", form{"a": {"1;b=2"}}},
		{"empty values are not there: RFC 6749 §3.2", "a=&b&c=1", form{"c": {"1"}}},
		{"resource may be repeated: RFC 8707 §2", "resource=x&resource=y", form{"resource": {"x", "y"}}},
		{"repeated", "a=1&a=2", nil},
		{"repeated with an empty one", "a=&a=2", nil},
		{"repeated in another encoding", "a=1&%61=1", nil},
		{"broken escape", "a=%", nil},
		{"broken escape in a name", "%zz=1", nil},
		{"not UTF-8", "a=%ff", nil},
		{"not UTF-8, not encoded", "a=\xff", nil},
		{"overlong", "a=%c0%80", nil},
		{"NUL", "a=x%00", nil},
		{"NUL in a name", "%00=x", nil},
		{"100 parameters", parameters(100), numbered(100)},
		{"101 parameters", parameters(101), nil},
	} {
		got, err := parseForm(c.body)
		if (err == nil) != (c.want != nil) || c.want != nil && !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.name, got, err)
		}
	}
}

func parameters(n int) string {
	var pairs []string
	for name := range numbered(n) {
		pairs = append(pairs, name+"=x")
	}
	return strings.Join(pairs, "&")
}

func numbered(n int) form {
	f := form{}
	for i := range n {
		f["p"+string(rune('a'+i/26))+string(rune('a'+i%26))] = []string{"x"}
	}
	return f
}

func basic(pair string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)) }

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
		id, secret, ok := parseBasic(c.header)
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
		"broken escape":       basic("id:%zz"),
		"not UTF-8":           basic("id:%ff"),
		"not UTF-8, in clear": basic("id:\xff"),
		"NUL":                 basic("id:%00"),
		"NUL, in clear":       basic("i\x00d:x"),
		"no padding":          "Basic " + base64.RawStdEncoding.EncodeToString([]byte("id:secret!")),
		"too much padding":    basic("id:secret!") + "=",
		"loose last bits":     "Basic aWQ6eB==", // decodes to id:x, which encodes as aWQ6eA==
		"line break":          "Basic aWQ6\neA==",
		"the URL alphabet":    "Basic " + base64.URLEncoding.EncodeToString([]byte("id:?>?>?>")),
		"two":                 basic("id:secret") + " " + basic("id:secret")[6:],
		"parameters":          basic("id:secret") + `, realm="x"`,
	} {
		if id, _, ok := parseBasic(header); ok {
			t.Errorf("%s: gives the client %q", name, id)
		}
	}
}

func TestDescribable(t *testing.T) {
	t.Parallel()
	if got, want := describable("a \"b\" \\ é\n~"), "a 'b' / ??~"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What parses is text, and says the same when it is written the standard way and read again.
func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "resource=x&resource=y", "a=%C3%A9+", "a=%ff", "&&=", "=x", "a=&a="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		parsed, err := parseForm(body)
		if err != nil {
			return
		}
		for name, values := range parsed {
			if len(values) > 1 && name != repeatable {
				t.Errorf("%q has %d values", name, len(values))
			}
			for _, v := range append(values, name) {
				if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
					t.Errorf("%q is no text", v)
				}
			}
		}
		again, err := parseForm(url.Values(parsed).Encode())
		if err != nil || !cmp.Equal(parsed, again) {
			t.Errorf("%v became %v, %v", parsed, again, err)
		}
	})
}

// What parses has one spelling in base64, and both halves are text.
func FuzzParseBasic(f *testing.F) {
	for _, seed := range []string{"", "Basic", basic("id:secret"), basic("i%3Ad:s%25"), "Basic aWQ6eB==", "Bearer x", basic(":"), basic("\xff:")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		id, secret, ok := parseBasic(header)
		if !ok {
			return
		}
		if id == "" || !isText(id) || !isText(secret.Reveal()) {
			t.Errorf("%q, %q", id, secret.Reveal())
		}
		encoded := strings.Trim(header[len("Basic "):], " ")
		pair, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || base64.StdEncoding.EncodeToString(pair) != encoded {
			t.Errorf("%q is not the one spelling of %q", encoded, pair)
		}
		id2, secret2, ok := parseBasic(basic(url.QueryEscape(id) + ":" + url.QueryEscape(secret.Reveal())))
		if !ok || id2 != id || secret2 != secret {
			t.Errorf("written again: %q, %q, %v", id2, secret2.Reveal(), ok)
		}
	})
}
