package web

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"

	"latchkey/server/web/look"
	"latchkey/server/web/outcome"
	"latchkey/server/web/panel"
)

//go:embed templates/*.html static/* texts/*.json
var shipped embed.FS

// samples returns views of each page, full and empty, with which New tries the templates.
func samples(now time.Time) []View {
	client := ClientInfo{ID: "app", Name: "App", URI: "https://app.example", PolicyURI: "https://app.example/p", TosURI: "https://app.example/t", LogoURL: "/logo"}
	bare := ClientInfo{ID: "app", Unverified: true}
	scopes := []ScopeInfo{{Name: "openid"}, {Name: "a:b", New: true}}
	fields := []Field{{Name: "a", Value: "b"}}
	views := append(factorSamples(now), []View{
		Login{Way: Way{Look: look.Client{Name: "App", LogoURL: "/logo", Accent: "#0b6b4f", TermsURL: "https://app.example/t", PrivacyURL: "https://app.example/p"}}, ForgotURL: "/f", SignUpURL: "/s", Notice: outcome.PasswordReset, Hidden: fields, Username: "u", Passkey: &Passkey{Options: "{}"}, Problem: outcome.Throttled, RetryAfter: time.Minute, ClientName: "App", Account: "u", RememberTTL: time.Hour},
		Login{},
		Consent{
			Hidden: fields, Username: "u", Client: client, RedirectHost: "app.example", LocalOnly: true, Scope: scopes,
			Resources: []ResourceInfo{{Identifier: "https://api.example", Name: "API"}}, Lifetime: time.Hour, Offline: true,
		},
		Consent{Client: bare},
		Outside{Hidden: fields, Username: "u", Client: client, AccountURL: "https://u.example"},
		Outside{Client: bare, Device: true},
		Device{Username: "u", UserCode: "BCDF-GHJK", Problem: outcome.Throttled, RetryAfter: time.Minute},
		Device{},
		DeviceConfirm{
			Hidden: fields, Username: "u", UserCode: "BCDF-GHJK", Client: client, Scope: scopes,
			Resources: []ResourceInfo{{Identifier: "https://api.example", Name: "API"}}, Address: "::1", At: now, Lifetime: time.Hour,
		},
		DeviceConfirm{Client: bare},
		DeviceDone{Approved: true, Client: client},
		DeviceDone{Client: bare},
		Error{
			Status: 400, Code: "invalid_request", Description: "d", ClientName: "App", RequestID: "1", ClientID: "app",
			RedirectURI: "https://app.example", Advice: "redirect", ReturnURL: "https://app.example/?error=x", ReturnHost: "app.example",
		},
		Error{Status: 500, Way: Way{Look: look.Client{Name: "App", Accent: "#0b6b4f"}}},
		Logout{Hidden: fields, Username: "u", ClientName: "App", Unregistered: "https://app.example"},
		Logout{},
		LoggedOut{Unregistered: "https://app.example", ReturnURL: "https://app.example/out", ReturnHost: "app.example"},
		LoggedOut{},
		NotLoggedOut{BadHint: true, Unregistered: "https://app.example"},
		NotLoggedOut{},
		FormPost{Action: "https://app.example/", Fields: fields},
		Account{
			Username: "u", Email: "u@example", Kept: true, Mail: true, HasPassword: true, SecurityURL: "/s", AccountURL: "https://u.example", Notice: outcome.PasswordChanged, Problem: outcome.Mismatch,
			Profile: Profile{
				EmailVerified: true, Editable: []ProfileField{{"name", "U"}, {"zoneinfo", ""}}, Fixed: []ProfileField{{"locale", "en"}},
				Groups: []string{"staff", "ops"}, Problem: "profile_name", Wrong: "name",
			},
			Sessions: []SessionInfo{{Current: true, UserAgent: "x", Address: "::1", Since: now, LastSeen: now}, {ID: "1", Since: now}},
			Apps:     []AppInfo{{Client: client, Scope: scopes, Since: now, LastUsed: now, Sessions: 2}, {Client: bare, Since: now}},
			Events:   []EventInfo{{At: now, Action: "login_succeeded", ClientName: "App", Address: "::1"}, {At: now, Action: "x"}},
		},
		Account{FirstPasswordURL: "/account/password/first"},
		Account{},
		Console{panel.Page{
			Heading: "console.title", Subject: "u", Operator: "u", Notice: "console.done.ended", Problem: "console.invalid", Detail: "d",
			Secrets: []panel.Fact{{Name: "console.client_id", Value: panel.Code("app")}}, Next: "/console",
			Search: &panel.Form{Get: true, Submit: "console.search", Inputs: []panel.Input{{Name: "text", Label: "console.search.user"}}},
			Sections: []panel.Section{{
				Heading: "console.events", Text: "console.confirm_text", More: "/console/audit", Columns: []string{"console.time", "console.user"},
				Rows:  [][]panel.Cell{{panel.At(now), panel.Link("u", "/console/user")}, {panel.Key("console.active", panel.Good), panel.Text("x")}},
				Facts: []panel.Fact{{Name: "console.name", Value: panel.Text("x")}},
				Forms: []panel.Form{{Submit: "console.rotate", Title: "console.rotate_title", Note: "console.rotate_note", Danger: true, Inputs: []panel.Input{
					{Name: "a", Label: "console.name", Note: "console.name_note", Required: true},
					{Name: "b", Label: "console.name", Lines: true, Note: "console.lines_note"},
					{Name: "c", Label: "console.keep_old", Options: []panel.Option{{Value: "1h", Label: "console.keep.hour"}, {Value: "x"}}},
					{Name: "d", Label: "console.name", Check: true},
				}}},
			}},
		}},
		Console{panel.Page{Heading: "console.title", Sections: []panel.Section{{Columns: []string{"console.time"}, Empty: "console.none"}}}},
	}...)
	for _, name := range steps {
		views = append(views, Step{
			Name: name, Action: "/", Hidden: fields, Shown: "u", Problem: outcome.Throttled, RetryAfter: time.Minute, Next: "/",
			Inputs: []Field{{"identifier", "u"}, {"email", ""}, {"username", ""}, {"name", ""}, {"code", ""}, {"new_password", ""}, {"new_password_again", ""}},
		})
	}
	return append(views, Step{Name: "elsewhere"})
}

// New loads templates, texts and files, first the shipped ones, then the operator's. Its error lists every fault in the
// operator's.
func New(cfg Config) (*Pages, error) {
	base, err := builtIn()
	if err != nil {
		return nil, err
	}
	p := &Pages{
		base: cfg.BasePath, host: cfg.Host, now: cfg.Now, lookOf: cfg.LookOf,
		fonts: base.pages.fonts, templates: maps.Clone(base.pages.templates), files: maps.Clone(base.pages.files),
	}
	if p.now == nil {
		p.now = time.Now
	}
	p.brand, _ = readBrand(nil)
	l := &loader{
		pages: p, templates: maps.Clone(base.templates), locales: make(map[string]*locale), english: base.english, style: base.style,
	}
	for lang, loc := range base.locales {
		l.locales[lang] = &locale{tag: loc.tag, messages: maps.Clone(loc.messages), scopes: maps.Clone(loc.scopes)}
	}
	if cfg.Dir != "" {
		// os.Root, so that no symbolic link leads out of the folder: its files are served to everyone.
		root, err := os.OpenRoot(cfg.Dir)
		if err != nil {
			return nil, fmt.Errorf("pages: %w", err)
		}
		defer root.Close()
		l.operators(root.FS())
	}
	p.brand.override(cfg.Look)
	if err := errors.Join(p.brand.faults()...); err != nil && cfg.Look != (look.Service{}) && len(l.faults) == 0 {
		return nil, fmt.Errorf("pages: %w", err) // of the options
	}
	if err := l.logo(cfg.Look.Logo); err != nil {
		return nil, fmt.Errorf("pages: the logo: %w", err)
	}
	l.assemble()
	if cfg.Dir != "" && l.parse() { // tests try the shipped pages
		l.try()
	}
	if len(l.faults) > 0 {
		return nil, fmt.Errorf("pages: the folder %s has %d faults:\n%w", cfg.Dir, len(l.faults), errors.Join(l.faults...))
	}
	return p, nil
}

// builtIn loads and parses the shipped files, once: the servers of a process share them.
var builtIn = sync.OnceValues(func() (*loader, error) {
	l := &loader{
		pages:     &Pages{templates: make(map[string]*template.Template), files: make(map[string]*file)},
		templates: make(map[string]string), locales: make(map[string]*locale),
	}
	if err := l.load(shipped); err != nil {
		return nil, err
	}
	l.english = l.locales["en"].messages
	l.parse()
	return l, errors.Join(l.faults...)
})

// loader collects what pages are made of.
type loader struct {
	pages     *Pages
	templates map[string]string  // by file name
	locales   map[string]*locale // by language
	english   map[string]message // the shipped texts; they define the keys and placeholders
	style     string
	faults    []error
}

func (l *loader) fault(file, format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf(file+": "+format, args...))
}

// load reads the shipped files, which tests check.
func (l *loader) load(from fs.FS) error {
	return fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		base := path.Base(name)
		switch path.Dir(name) {
		case "templates":
			l.templates[base] = string(data)
		case "texts":
			return l.texts(strings.TrimSuffix(base, ".json"), data)
		case "static":
			l.static(base, data)
			if strings.HasSuffix(base, ".js") {
				l.add(base, "text/javascript; charset=utf-8", data)
			}
		}
		return nil
	})
}

// operators reads the operator's folder.
func (l *loader) operators(from fs.FS) {
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(path.Base(name), ".") && name != "." { // of an editor or a version control system
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		data, err := readFile(from, name)
		if err != nil {
			l.fault(name, "%w", err)
			return nil
		}
		l.override(name, data)
		return nil
	})
	if err != nil {
		l.faults = append(l.faults, err)
	}
}

// maxFile bounds a file of the operator's.
const maxFile = 1 << 20

func readFile(from fs.FS, name string) ([]byte, error) {
	f, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("is larger than 1 MiB")
	}
	return data, err
}

// override loads one of the operator's files.
func (l *loader) override(name string, data []byte) {
	dir, base := path.Dir(name), path.Base(name)
	lang, isTexts := strings.CutPrefix(base, "texts.")
	switch {
	case name == "brand.json":
		brand, err := readBrand(data)
		if err != nil {
			l.fault(name, "%w", err)
		}
		l.pages.brand = brand
	case dir == "." && isTexts && strings.HasSuffix(lang, ".json"):
		if err := l.texts(strings.TrimSuffix(lang, ".json"), data); err != nil {
			l.fault(name, "%w", err)
		}
	case dir == "templates" && l.templates[base] != "":
		l.templates[base] = string(data)
	case dir == "templates":
		l.fault(name, "unknown template; expected one of %s", strings.Join(slices.Sorted(maps.Keys(l.templates)), ", "))
	case dir == "static":
		l.static(base, data)
	default:
		l.fault(name, "unknown file; expected brand.json, texts.LANGUAGE.json, templates/*.html or static/*")
	}
}

// static adds a file. The stylesheet is added later, together with the brand's colours.
func (l *loader) static(name string, data []byte) {
	kind, known := kinds[strings.ToLower(path.Ext(name))]
	switch {
	case name == "style.css":
		l.style = string(data)
	case known:
		l.pages.fonts = l.pages.fonts || kind == kinds[".woff2"]
		l.add(name, kind, data)
	case l.english != nil:
		l.fault("static/"+name, "files of this type are not served; expected one of %s", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
}

// logo adds the file of the option, under a name of its own.
func (l *loader) logo(file string) error {
	if file == "" {
		return nil
	}
	kind, data, err := readLogo(file)
	if err != nil {
		return err
	}
	name := "service-logo" + strings.ToLower(path.Ext(file))
	l.add(name, kind, data)
	l.pages.brand.Logo = name
	return nil
}

// CheckLogo returns what is wrong with the file of a logo; nil if nothing is.
func CheckLogo(file string) error {
	_, _, err := readLogo(file)
	return err
}

func readLogo(file string) (kind string, data []byte, err error) {
	kind, ok := images()[strings.ToLower(filepath.Ext(file))]
	if !ok {
		return "", nil, fmt.Errorf("%q must end with one of %s", file, strings.Join(slices.Sorted(maps.Keys(images())), ", "))
	}
	data, err = readFile(os.DirFS(filepath.Dir(file)), filepath.Base(file))
	if err == nil && len(data) == 0 {
		err = errors.New("is empty")
	}
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", file, err)
	}
	return kind, data, nil
}

func (l *loader) add(name, kind string, data []byte) {
	f := newFile(name, kind, data)
	if before := l.pages.files[name]; before != nil {
		delete(l.pages.files, before.url)
	}
	l.pages.files[name], l.pages.files[f.url] = f, f
}

// texts reads the texts of a language, overriding those already loaded.
func (l *loader) texts(lang string, data []byte) error {
	tag, err := language.Parse(lang)
	if err != nil {
		return fmt.Errorf("%q is not a language tag (BCP 47), such as fr or pt-BR", lang)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(data, &entries); err != nil {
		return err
	}
	loc := l.locales[tag.String()]
	if loc == nil {
		loc = &locale{tag: tag, messages: make(map[string]message), scopes: make(map[string]scopeText)}
		l.locales[tag.String()] = loc
	}
	var faults []error
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if err := l.entry(loc, key, entries[key]); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
	}
	return errors.Join(faults...)
}

// entry adds one text.
func (l *loader) entry(loc *locale, key string, raw json.RawMessage) error {
	if scope, ok := strings.CutPrefix(key, "scope."); ok {
		var text scopeText
		if err := json.Unmarshal(raw, &text); err != nil || text.Title == "" {
			return errors.New(`must be {"title": …, "description": …} with a title`)
		}
		loc.scopes[scope] = text
		return nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || s == "" {
		return errors.New("must be a string that is not empty")
	}
	m := parseMessage(s)
	if l.english != nil {
		model, ok := l.model(key)
		if !ok {
			return errors.New("unknown key; the keys are those of server/web/texts/en.json")
		}
		for _, name := range m.names() {
			if !slices.Contains(model.names(), name) {
				return fmt.Errorf("unknown placeholder {%s}; the shipped text does not have it", name)
			}
		}
	}
	loc.messages[key] = m
	return nil
}

// model returns the shipped text of a key. A language may have plural forms that English lacks, and texts for events that this
// release does not know.
func (l *loader) model(key string) (message, bool) {
	if m, ok := l.english[key]; ok {
		return m, true
	}
	if strings.HasPrefix(key, "event.") {
		return nil, true
	}
	dot := strings.LastIndexByte(key, '.')
	if dot < 0 || !slices.Contains(slices.Collect(maps.Values(forms)), key[dot:]) {
		return nil, false
	}
	m, ok := l.english[key[:dot]+".other"]
	return m, ok
}

// assemble makes the stylesheet and the languages.
func (l *loader) assemble() {
	p := l.pages
	l.add("style.css", kinds[".css"], []byte(l.style+accents{p.brand.Accent.Light, p.brand.Accent.Dark}.styles()))
	if p.brand.Logo != "" && p.files[p.brand.Logo] == nil {
		l.fault("brand.json", "logo: the file static/%s does not exist", p.brand.Logo)
		p.brand.Logo = ""
	}
	l.languages()
}

// languages puts the default language first and fills gaps in each language with the English texts.
func (l *loader) languages() {
	p := l.pages
	first, ok := l.locales[p.brand.Language]
	if !ok {
		l.fault("brand.json", "language: there are no texts in %q; add texts.%[1]s.json or choose another language", p.brand.Language)
		first = l.locales["en"]
	}
	p.locales = []*locale{first}
	for _, lang := range slices.Sorted(maps.Keys(l.locales)) {
		if loc := l.locales[lang]; loc != first {
			p.locales = append(p.locales, loc)
		}
	}
	english := l.locales["en"]
	tags := make([]language.Tag, len(p.locales))
	for i, loc := range p.locales {
		tags[i] = loc.tag
		complete(loc.messages, english.messages)
		complete(loc.scopes, english.scopes)
	}
	p.matcher = language.NewMatcher(tags)
}

func complete[V any](some, all map[string]V) {
	for key, v := range all {
		if _, ok := some[key]; !ok {
			some[key] = v
		}
	}
}

// parse parses each page together with the layout and the parts, and reports whether all are valid.
func (l *loader) parse() bool {
	before := len(l.faults)
	shared, common := template.New(""), []string{"layout.html", "parts.html"}
	for _, name := range common {
		if _, err := shared.New(name).Parse(l.templates[name]); err != nil {
			l.fault("templates/"+name, "%w", err)
		}
	}
	for name, text := range l.templates {
		if slices.Contains(common, name) {
			continue
		}
		page := template.Must(shared.Clone()) // none was executed
		if _, err := page.New(name).Parse(text); err != nil {
			l.fault("templates/"+name, "%w", err)
		}
		l.pages.templates[strings.TrimSuffix(name, ".html")] = page
	}
	return len(l.faults) == before
}

// try renders the samples, so that the operator sees a template's mistake before users do.
func (l *loader) try() {
	tried := make(map[string]bool)
	for _, v := range samples(l.pages.now()) {
		for _, loc := range l.pages.locales {
			if tried[v.page()] {
				continue // one fault per page is enough
			}
			if _, err := l.pages.execute(v, loc); err != nil {
				l.fault("templates/"+v.page()+".html", "%w", err)
				tried[v.page()] = true
			}
		}
	}
}
