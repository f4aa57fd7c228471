package web

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/server/web/look"
)

// The options need no folder, and go before what its brand.json says. What they leave out comes from there.
func TestTheLookByOptions(t *testing.T) {
	t.Parallel()
	logo := filepath.Join(t.TempDir(), "Acme.PNG")
	if err := os.WriteFile(logo, []byte("\x89PNG"), 0o644); err != nil {
		t.Fatal(err)
	}
	options := look.Service{
		Name: "Acme <ID>", Logo: logo, Accent: "#0B6B4F", TermsURL: "https://acme.example/terms", PrivacyURL: "https://acme.example/privacy",
		SupportURL: "mailto:help@acme.example",
	}
	has := func(body string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%q is not in %s", want, body)
			}
		}
	}
	p, err := New(Config{BasePath: "/auth", Host: "id.acme.example", Look: options})
	if err != nil {
		t.Fatal(err)
	}
	has(page(t, p, Login{}, "de"), `src="/auth/static/`+p.files["service-logo.png"].url+`" alt="Acme &lt;ID&gt;"`, "· Acme &lt;ID&gt;</title>",
		`href="https://acme.example/terms"`, "Nutzungsbedingungen</a>", `href="https://acme.example/privacy"`, `<a href="mailto:help@acme.example">Hilfe</a>`, "id.acme.example</bdi>")
	has(stylesheet(p), "--accent: #0b6b4f;")
	has(page(t, p, Step{Name: "sign_up", Action: "/", Shown: "-"}, "en"),
		`By creating an account you accept the <a href="https://acme.example/terms" target="_blank" rel="noopener">Terms of service</a>, and confirm`, `read the <a href="https://acme.example/privacy"`)
	if b := page(t, p, Step{Name: "forgot", Action: "/"}, "en"); strings.Contains(b, "you accept") {
		t.Error("another step has the sentence of sign-up")
	}
	dir := folder(t, "brand.json", `{"product_name": "Other", "accent": {"light": "#a8201a", "dark": "#ffb4ab"}, "terms_url": "https://other.example/t", "support": {"url": "https://other.example/h", "text": "Desk"}}`)
	both, err := New(Config{Dir: dir, Look: look.Service{Name: "Acme", Accent: "0b6b4f"}})
	if err != nil {
		t.Fatal(err)
	}
	has(page(t, both, Login{}, "en"), "· Acme</title>", `href="https://other.example/t"`, `<a href="https://other.example/h">Desk</a>`)
	has(stylesheet(both), "--accent: #0b6b4f;", "--accent: #ffb4ab;")

	for _, bad := range []look.Service{
		{Name: "a\u202eb"},
		{Name: strings.Repeat("x", 81)},
		{Accent: "#ffee00"},
		{AccentDark: "#111111"},
		{Accent: "red"},
		{TermsURL: "javascript:alert(1)"},
		{PrivacyURL: "/privacy"},
		{SupportURL: "data:x"},
		{Logo: filepath.Join(t.TempDir(), "gone.png")},
		{Logo: "look_test.go"},
		{Logo: t.TempDir() + ".png"},
	} {
		if _, err := New(Config{Look: bad}); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// The stylesheets of accents are made of their names: nothing but two colours that can be read.
func TestStylesheetsOfAccents(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"accent.ffee00.7fd8b8.css", "accent.0b6b4f.111111.css", "accent.0b6b4f.css", "accent.0B6B4F.7fd8b8.css", "accent.0b6b4f.7fd8b8.css.css", "accent.0b6b4f;}.7fd8b8.css",
		"accent.../etc/passwd.css", "accent.0b6b4f.7fd8b8.css\n", "accent..css", "", "xaccent.0b6b4f.7fd8b8.css",
	} {
		if a, ok := parseAccents(bad); ok {
			t.Errorf("%q has the accents %+v", bad, a)
		}
	}
	if a, ok := parseAccents("accent.0b6b4f.7fd8b8.css"); !ok || a != (accents{"#0b6b4f", "#7fd8b8"}) {
		t.Errorf("%+v %v", a, ok)
	}
}

// What a view has of a client that is not verified changes nothing, and a colour that is none is left out.
func TestAnUnverifiedClientHasNoLook(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Host: "id.example"})
	if err != nil {
		t.Fatal(err)
	}
	client := ClientInfo{ID: "app", Look: look.Client{Name: "My Bank", LogoURL: "/logo?x", Accent: "#0b6b4f"}}
	own := page(t, p, Consent{Client: client}, "en")
	for _, want := range []string{`<img src="/logo?x" alt="My Bank">`, `<link rel="stylesheet" href="/static/accent.0b6b4f.`, "Latchkey · <bdi>id.example</bdi>", "· Latchkey</title>"} {
		if !strings.Contains(own, want) {
			t.Errorf("%q is not on %s", want, own)
		}
	}
	client.Unverified = true
	for _, v := range []View{Consent{Client: client}, Outside{Client: client}, DeviceConfirm{Client: client}, DeviceDone{Client: client}} {
		if b := page(t, p, v, "en"); strings.Contains(b, "Bank") || strings.Contains(b, "accent.") {
			t.Errorf("%T: %s", v, b)
		}
	}
	for _, bad := range []string{"red", "#ffee00", "#0b6b4f;} body{}", "#0b6b4f\x00", "#0b6b4\xff"} {
		if b := page(t, p, Login{Way: Way{Look: look.Client{Accent: bad}}}, "en"); strings.Contains(b, "accent.") {
			t.Errorf("%q is on the page: %s", bad, b)
		}
	}
	w := httptest.NewRecorder()
	if err := p.Render(w, httptest.NewRequest("GET", "/", nil), 200, Login{Way: Way{Look: client.Look}}); err != nil {
		t.Fatal(err)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "style-src 'self'; img-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %s", csp)
	}
}
