package oauth

import (
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
		want       url.Values // nil = refused
	}{
		{"empty", "", url.Values{}},
		{"plain", "a=1&b=2", url.Values{"a": {"1"}, "b": {"2"}}},
		{"encoded", "a=%C3%A9+%2B%26&%62=x", url.Values{"a": {"é +&"}, "b": {"x"}}},
		{"not encoded", "a=é&b=x:/?@", url.Values{"a": {"é"}, "b": {"x:/?@"}}},
		{"needless separators", "&a=1&&", url.Values{"a": {"1"}}},
		{"an equals sign in the value", "a=b=c", url.Values{"a": {"b=c"}}},
		{"a semicolon separates nothing", "a=1;b=2", url.Values{"a": {"1;b=2"}}},
		{"empty values are not there: RFC 6749 §3.2", "a=&b&c=1", url.Values{"c": {"1"}}},
		{"resource may be repeated: RFC 8707 §2", "resource=x&resource=y", url.Values{"resource": {"x", "y"}}},
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

func numbered(n int) url.Values {
	f := url.Values{}
	for i := range n {
		f["p"+string(rune('a'+i/26))+string(rune('a'+i%26))] = []string{"x"}
	}
	return f
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
