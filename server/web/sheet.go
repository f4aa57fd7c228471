package web

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"latchkey/server/web/look"
	"latchkey/server/web/outcome"
)

// sheet is the data of templates: the view and the texts. docs/branding.md describes it for operators.
type sheet struct {
	View View

	look   look.Client
	pages  *Pages
	locale *locale
	now    time.Time
}

// execute renders the page in memory, so that half a page is never sent if the template fails.
func (p *Pages) execute(v View, l *locale) ([]byte, error) {
	var b bytes.Buffer
	err := p.templates[v.page()].ExecuteTemplate(&b, "layout", &sheet{View: v.cleaned(), look: cleanLook(v.asks().Look), pages: p, locale: l, now: p.now()})
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", v.page(), err)
	}
	return b.Bytes(), nil
}

// Name returns the name of the page.
func (s *sheet) Name() string { return s.View.page() }

func (s *sheet) Lang() string { return s.locale.tag.String() }

func (s *sheet) Dir() string { return s.locale.direction() }

func (s *sheet) Brand() *brand { return s.pages.brand }

// Host returns the host of this service, which is on every page, whatever it looks like.
func (s *sheet) Host() string { return cleanHost(s.pages.host) }

// Accents returns the address of the stylesheet with the accents of the page's client; empty if it has none of its own.
func (s *sheet) Accents() string {
	a, own := s.pages.accentsOf(s.look)
	if !own {
		return ""
	}
	return s.Path("/static/" + a.file())
}

// header is what is above a page: a logo with its text, or a name, with the icon of the service or without.
type header struct {
	Name, Logo string
	Icon       bool
}

// Header returns what is above the page: what the operator has set for the page's client, or else for all pages.
func (s *sheet) Header() (h header, err error) {
	brand := s.pages.brand
	switch {
	case s.look.Name != "" || s.look.LogoURL != "":
		h = header{Name: s.look.Name, Logo: s.look.LogoURL}
	case brand.Logo != "":
		h.Name = brand.ProductName
		h.Logo, err = s.Static(brand.Logo)
	default:
		h = header{Name: brand.ProductName, Icon: true}
	}
	return h, err
}

// TermsURL returns the terms of service of the page's client, or those of the service; empty if there are none. PrivacyURL is the same for
// the privacy policy.
func (s *sheet) TermsURL() string { return cmp.Or(s.look.TermsURL, s.pages.brand.TermsURL) }

func (s *sheet) PrivacyURL() string { return cmp.Or(s.look.PrivacyURL, s.pages.brand.PrivacyURL) }

// Legal returns what people accept who make an account, in parts for the template msg; empty on other pages and where there are no terms.
func (s *sheet) Legal() ([]part, error) {
	step, ok := s.View.(Step)
	if !ok || step.Name != "sign_up" && step.Name != "new_account" {
		return nil, nil
	}
	terms := link{s.locale.text("page.terms"), s.TermsURL()}
	privacy := link{s.locale.text("page.privacy"), s.PrivacyURL()}
	switch {
	case terms.url != "" && privacy.url != "":
		return s.M("legal.both", "terms", terms, "privacy", privacy)
	case terms.url != "":
		return s.M("legal.terms", "terms", terms)
	case privacy.url != "":
		return s.M("legal.privacy", "privacy", privacy)
	}
	return nil, nil
}

// link is the value of a placeholder that leads to another page.
type link struct{ text, url string }

// Path returns the address of a path on this server.
func (s *sheet) Path(path string) string { return s.pages.base + path }

// Static returns the address of a file in the folder static.
func (s *sheet) Static(name string) (string, error) {
	f, ok := s.pages.files[name]
	if !ok {
		return "", fmt.Errorf("there is no file static/%s", name)
	}
	return s.pages.base + "/static/" + f.url, nil
}

// T returns a text; args are the names and values of its placeholders.
func (s *sheet) T(key string, args ...any) (string, error) {
	if _, ok := s.locale.messages[key]; !ok {
		return "", fmt.Errorf("there is no text %q", key)
	}
	values := make([]string, len(args))
	for i, a := range args {
		values[i] = fmt.Sprint(a)
	}
	return s.locale.text(key, values...), nil
}

// N returns a text that depends on a number.
func (s *sheet) N(key string, n int) string { return s.locale.count(key, n) }

// part is a piece of a text, followed by the value of a placeholder, which is a string, a string with a link, or a time.
type part struct {
	Text   string
	Value  string
	Link   string
	Moment *moment
}

// M returns a text in parts, for the template msg. The values of placeholders are untrusted, so templates isolate them by <bdi>.
func (s *sheet) M(key string, args ...any) ([]part, error) {
	m, ok := s.locale.messages[key]
	if !ok {
		return nil, fmt.Errorf("there is no text %q", key)
	}
	parts := make([]part, 0, len(m))
	var next part
	for _, seg := range m {
		if seg.name == "" {
			next.Text = seg.text
			continue
		}
		for i := 0; i+1 < len(args); i += 2 {
			if args[i] != seg.name {
				continue
			}
			switch v := args[i+1].(type) {
			case *moment:
				next.Moment = v
			case link:
				next.Value, next.Link = v.text, v.url
			case string:
				next.Value = v
			default:
				next.Value = fmt.Sprint(v)
			}
		}
		parts = append(parts, next)
		next = part{}
	}
	if next != (part{}) {
		parts = append(parts, next)
	}
	return parts, nil
}

// Span returns a duration as text.
func (s *sheet) Span(d time.Duration) string { return s.locale.span(d) }

// Ago returns a time as text, for the template time: relative to now if it is recent.
func (s *sheet) Ago(t time.Time) *moment { return s.locale.ago(t, s.now) }

// Day returns a date as text, for the template time.
func (s *sheet) Day(t time.Time) *moment { return s.locale.day(t) }

// Problem returns the text for a problem, or an empty string if there is none.
func (s *sheet) Problem(p outcome.Problem, wait time.Duration) string {
	if p == outcome.NoProblem {
		return ""
	}
	if p == outcome.Throttled && wait > 0 {
		return s.locale.text("problem.throttled_wait", "time", s.locale.span(wait))
	}
	return cmp.Or(s.locale.text("problem."+string(p)), s.locale.text("problem.other"))
}

// Notice returns the text for a notice, or an empty string if there is none.
func (s *sheet) Notice(n outcome.Notice) string { return s.locale.text("notice." + string(n)) }

// NewPassword reports whether the problem is with the new password.
func (s *sheet) NewPassword() bool {
	a, ok := s.View.(Account)
	return ok && (a.Problem == outcome.WeakPassword || a.Problem == outcome.InvalidPassword || a.Problem == outcome.Mismatch)
}

// Field returns the label of a field of the profile, and its note below the field, which may be empty.
func (s *sheet) Field(name string) profileLabel {
	return profileLabel{s.locale.text("account.profile." + name), s.locale.text("account.profile." + name + "_note")}
}

// profileLabel is what a page has beside a field of the profile.
type profileLabel struct{ Label, Note string }

// Autocomplete returns the purpose of a field for browsers (HTML §4.10.18.7).
func (s *sheet) Autocomplete(name string) string { return cmp.Or(purposes[name], "off") }

var purposes = map[string]string{
	"name": "name", "given_name": "given-name", "family_name": "family-name", "picture": "photo", "locale": "language",
}

// scope is a scope with its texts. Title is empty if it has none.
type scope struct {
	Name string
	scopeText
	New bool
}

// Scopes adds the texts. New is only kept if some scopes are new and others are not.
func (s *sheet) Scopes(scopes []ScopeInfo) []scope {
	list := make([]scope, len(scopes))
	added := 0
	for i, x := range scopes {
		list[i] = scope{Name: x.Name, scopeText: s.locale.scopes[x.Name], New: x.New}
		if x.New {
			added++
		}
	}
	if added == len(scopes) {
		for i := range list {
			list[i].New = false
		}
	}
	return list
}

// Event returns the text for an audit event, in parts for the template msg.
func (s *sheet) Event(action string) ([]part, error) {
	key := "event." + action
	if _, ok := s.locale.messages[key]; ok {
		return s.M(key)
	}
	return s.M("event.other", "action", action)
}

// Agent returns the name of a browser and its system.
func (s *sheet) Agent(userAgentHeader string) string {
	browser, system := userAgent(userAgentHeader)
	switch {
	case browser != "" && system != "":
		return s.locale.text("agent.both", "browser", browser, "system", system)
	case browser != "":
		return browser
	case system != "":
		return system
	}
	return s.locale.text("agent.unknown")
}

// Kind returns the kind of an error: request, refused, not_found, expired, busy or server.
func (s *sheet) Kind() string {
	e, _ := s.View.(Error)
	return kind(e.Status, e.Code)
}
