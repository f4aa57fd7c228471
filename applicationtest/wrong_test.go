package applicationtest

import (
	"testing"
)

// TestSettingsThatAreRefused leaves out a setting that docs/applications.md has, as the application's defaults do. What it shows or logs names
// what to set.
func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		application
		start func(*testing.T, *site)
		says  string
	}{
		{expressOpenIDConnect, node(`authorizationParams: { response_type: "code" },`, ""), "response_type"},
		{nextAuth, nodeProgram("next-auth-server.js", `checks: ["pkce", "state"],`, ""), "--no-require-pkce"},
		{passport, node("nonce: true,", ""), "--no-require-pkce"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := c.application
			a.start = c.start
			s := a.begin(t)
			end := newPerson(t).visit(t, s.URL+a.login)
			s.says(t, end, c.says)
			s.doctorSays(t, c.says)
			t.Logf("%s", end)
		})
	}
}
