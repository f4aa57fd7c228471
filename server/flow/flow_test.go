package flow

import (
	"net/url"
	"strings"
	"testing"
)

func TestStatement16ReturnToIsOneOfOurPages(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "/auth"} {
		f := Paths{base}
		for _, ours := range []string{
			base + "/oauth2/authorize?continue=abcXYZ_-019",
			base + "/oauth2/logout",
			base + "/oauth2/logout?id_token_hint=a.b-c_d&state=x%20y+z&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2F",
			base + "/account", base + "/account/email", base + "/account/export", base + "/account/remove", base + "/console", base + "/console?done=ended", base + "/console/user?id=7", base + "/console/new-client?kind=web",
		} {
			if got := string(f.ParseReturnTo(ours)); got != ours {
				t.Errorf("%q leads to %q", ours, got)
			}
		}
		for _, other := range []string{
			"", "/", "https://evil.example", "https://evil.example/account", "//evil.example/account", "///evil.example",
			`/\evil.example`, `\\evil.example`, `/account\..\..`, base + `/account/../\evil.example`, base + "/account@evil.example",
			"https://user@evil.example/oauth2/authorize?continue=abc", base + "/account.evil.example", base + "/account?done=x",
			base + "/account/remove?x=y", base + "/account/removed", base + "/account/email/", base + "/account/email/code",
			"javascript:alert(1)", "data:text/html,x", "/%2fevil.example", "/%5cevil.example", "%2f%2fevil.example",
			base + "/oauth2/authorize", base + "/oauth2/authorize?continue=", base + "/oauth2/authorize?continue=a&client_id=b",
			base + "/oauth2/authorize?continue=a#b", base + "/oauth2/authorize?client_id=b&continue=a",
			base + "/oauth2/authorize?continue=a\r\nSet-Cookie: x=y", base + "/oauth2/authorize?continue=a%0d%0a",
			base + "/oauth2/logout/../../evil", base + "/oauth2/logout//evil.example", base + "/oauth2/logout?a=b#c",
			base + "/oauth2/logout?a=<script>", base + "/oauth2/logout?a=\t", base + "/oauth2/logout?a=\u2028", base + "/oauth2/logoutx",
			base + "/console/../evil", base + "/console//evil.example", base + "/console/", base + "/consolex", base + "/console/user/x", base + `/console/\evil`,
			base + "/console@evil.example", base + "/console/user?id=<", base + "/console/user#x", base + "/console.evil.example",
			" " + base + "/account", base + "/account ", "\t//evil.example", base + "\t/account", base + "/Account",
			"http:/evil.example", "https:evil.example", "?return_to=//evil.example", "#", ".", "..", "account",
		} {
			if got := string(f.ParseReturnTo(other)); got != base+"/account" {
				t.Errorf("%q leads to %q", other, got)
			}
		}
	}
}

// Whatever is accepted leads, for a browser that is on a page of ours, to a page of ours.
func FuzzReturnTo(f *testing.F) {
	f.Add("/oauth2/authorize?continue=abc")
	f.Add("//evil.example")
	f.Add("/oauth2/logout?a=b")
	f.Fuzz(func(t *testing.T, s string) {
		paths := Paths{"/auth"}
		got := string(paths.ParseReturnTo(s))
		u, err := url.Parse("https://host.example/auth/login")
		if err != nil {
			t.Fatal(err)
		}
		next, err := u.Parse(got)
		if err != nil || next.Scheme != "https" || next.Host != "host.example" || next.User != nil || next.Fragment != "" ||
			!strings.HasPrefix(next.Path, "/auth/") || strings.ContainsAny(got, "\\\r\n\t <>\"") || strings.Contains(next.Path, "..") {
			t.Errorf("%q leads to %q (%v)", s, got, err)
		}
	})
}
