package web

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// folder writes a folder of overrides: name, content, …
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func page(t *testing.T, p *Pages, v View, language string) string {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Language", language)
	w := httptest.NewRecorder()
	if err := p.Render(w, r, 200, v); err != nil {
		t.Fatal(err)
	}
	return w.Body.String()
}

// The example of docs/branding.md works as it stands there.
func TestDocumentedBranding(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/branding.md")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"static/acme.svg", `<svg xmlns="http://www.w3.org/2000/svg"/>`}
	for _, m := range regexp.MustCompile("(?ms)^```\\w+ (\\S+)\n(.*?)^```").FindAllStringSubmatch(string(doc), -1) {
		files = append(files, m[1], m[2])
	}
	if len(files) != 8 {
		t.Fatalf("the document has %d files", len(files)/2-1)
	}
	p, err := New(Config{Dir: folder(t, files...)})
	if err != nil {
		t.Fatal(err)
	}
	login := page(t, p, Login{}, "en")
	for _, want := range []string{
		"<h1>Sign in to Acme</h1>", "· Acme ID</title>", `alt="Acme ID"`, p.files["acme.svg"].url, `<a href="mailto:help@acme.example">Help desk</a>`,
	} {
		if !strings.Contains(login, want) {
			t.Errorf("%q is not on the page: %s", want, login)
		}
	}
	if b := page(t, p, Login{}, "de"); !strings.Contains(b, "<h1>Anmelden</h1>") {
		t.Error("the German texts are gone")
	}
	if b := page(t, p, Consent{Scope: []ScopeInfo{{Name: "invoices:read"}}}, "de"); !strings.Contains(b, "Read your invoices") || strings.Contains(b, "<code>") {
		t.Error("the scope has no words")
	}
	if b := page(t, p, LoggedOut{}, "en"); !strings.Contains(b, `href="https://acme.example/"`) {
		t.Error("the template is the shipped one")
	}
	style := string(p.files["style.css"].data)
	light, dark := strings.LastIndex(style, "--accent: #0b6b4f; --on-accent: #ffffff"), strings.LastIndex(style, "--accent: #7fd8b8; --on-accent: #000000")
	if light < 0 || dark < light {
		t.Errorf("the colours are not in the stylesheet, the dark ones last: %s", style[len(style)-300:])
	}
}

// The servers of a process share the shipped files, but no operator's.
func TestFoldersOfOneServerAreNotAnothers(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Dir: folder(t,
		"templates/logged_out.html", `{{define "title"}}Acme{{end}}{{define "main"}}<p>Acme</p>{{end}}`,
		"texts.en.json", `{"login.title": "Acme"}`, "texts.fr.json", `{"login.title": "Acme"}`, "brand.json", `{"product_name": "Acme"}`,
		"static/style.css", "acme {}", "static/acme.svg", `<svg xmlns="http://www.w3.org/2000/svg"/>`,
	)}); err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, seen := range []string{
		page(t, p, LoggedOut{}, "en"), page(t, p, Login{}, "en"), page(t, p, Login{}, "fr"), string(p.files["style.css"].data),
	} {
		if strings.Contains(strings.ToLower(seen), "acme") {
			t.Errorf("another server's: %s", seen)
		}
	}
	if p.files["acme.svg"] != nil || len(p.Locales()) != 2 {
		t.Errorf("files or languages of another server's: %v", p.Locales())
	}
}

// With a folder of the operator's, even an empty one, every page is rendered in every language.
func TestTheShippedPagesCanBeRendered(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Dir: t.TempDir()}); err != nil {
		t.Error(err)
	}
}

func TestAllFaultsAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Dir: folder(t,
		"brand.json", `{"product_name": "a\u202eb", "accent": {"light": "#ffee00", "dark": "red"}, "logo": "gone.png", "support": {"url": "javascript:a"}, "language": "fr"}`,
		"texts.de.json", `{"login.titel": "x", "login.title": "{client}", "consent.allow": 7, "scope.a": "words"}`,
		"texts.klingon_.json", `{}`,
		"texts.es.json", `{`,
		"static/a.js", "alert(1)",
		"templates/logni.html", "",
		"templates/login.html", `{{define "main"}}{{.View.Nothing}}{{end}}`,
		"templates/logout.html", `{{define "main"}}{{if}}{{end}}`,
		"readme.txt", "",
		".git/config", "is not looked at",
	)})
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{
		"brand.json: product_name:", "accent.light: the contrast of #ffee00 on #ffffff is 1.20", `accent.dark: "red" must be a colour`,
		"support.url:", "logo: the file static/gone.png does not exist", `language: there are no texts in "fr"`,
		"texts.de.json: consent.allow: must be a string", "login.titel: unknown key", "login.title: unknown placeholder {client}",
		`scope.a: must be {"title"`, "texts.klingon_.json:", "texts.es.json:", "static/a.js:", "templates/logni.html: unknown template",
		"templates/logout.html:", "readme.txt: unknown file",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), ".git") {
		t.Error("hidden files are looked at")
	}
	// A template that parses is tried with every page.
	_, err = New(Config{Dir: folder(t,
		"templates/login.html", `{{define "title"}}{{end}}{{define "main"}}{{.View.Nothing}}{{end}}`,
		"templates/error.html", `{{define "title"}}{{.T "no.text"}}{{end}}{{define "main"}}{{end}}`,
	)})
	for _, want := range []string{"templates/login.html:", "templates/error.html:", "no.text"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	if _, err := New(Config{Dir: filepath.Join(t.TempDir(), "gone")}); err == nil {
		t.Error("a folder that is not there is no fault")
	}
}

func TestALanguageOfTheOperators(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Dir: folder(t,
		"texts.ar.json", `{"login.title": "تسجيل الدخول", "duration.days.few": "{n} أيام"}`,
		"brand.json", `{"language": "de"}`,
	)})
	if err != nil {
		t.Fatal(err)
	}
	b := page(t, p, Login{RememberTTL: 72 * 3600e9}, "ar-EG")
	for _, want := range []string{`<html lang="ar" dir="rtl">`, "<h1>تسجيل الدخول</h1>", "3 أيام", "Username"} {
		if !strings.Contains(b, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if b := page(t, p, Login{}, "fr"); !strings.Contains(b, `<html lang="de"`) {
		t.Error("the default is not the operator's")
	}
}

func TestNoLinkLeadsOutOfTheFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t, "static/a.css", "")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "static/b.css")); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "static/b.css") {
		t.Errorf("a link out of the folder: %v", err)
	}
}

func TestFontsOfTheOperators(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Dir: folder(t, "static/a.woff2", "", "static/style.css", "body{}")})
	if err != nil {
		t.Fatal(err)
	}
	if csp := p.policy(demands{}); !strings.Contains(csp, "font-src 'self'") {
		t.Errorf("a font would not be loaded: %s", csp)
	}
	if string(p.files["style.css"].data) != "body{}" {
		t.Errorf("the stylesheet is %q", p.files["style.css"].data)
	}
}
