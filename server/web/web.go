package web

import (
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"latchkey/server/internal/request"
	"latchkey/server/web/look"
)

// StaticPath is the route of [Pages.Static], below the issuer's path.
const StaticPath = "/static/{file}"

// Config configures Pages.
type Config struct {
	// Dir is the operator's folder, or empty. docs/branding.md describes its files.
	Dir string
	// BasePath is the path of the issuer, without a trailing slash: "" or "/auth". Links on pages begin with it.
	BasePath string
	// Host is that of the issuer, which every page shows.
	Host string
	// Look is what goes before the folder's brand.json.
	Look look.Service
	// LookOf returns the look and the ui_locales parameter of the request that an error belongs to; nil means none.
	LookOf func(error) (look.Client, string)
	// Now returns the current time, for relative times; nil means time.Now.
	Now func() time.Time
}

// file is a file that browsers load for a page.
type file struct {
	data []byte
	kind string // the media type
	url  string // the name with a part of the content's hash
	etag string
}

// Pages renders views. It is safe for concurrent use.
type Pages struct {
	base      string
	host      string
	now       func() time.Time
	brand     *brand
	templates map[string]*template.Template // by page
	files     map[string]*file              // by name and by URL name
	locales   []*locale                     // the first is the default
	matcher   language.Matcher
	fonts     bool
	lookOf    func(error) (look.Client, string)
}

// ProductName returns the name of this service as pages show it.
func (p *Pages) ProductName() string { return p.brand.ProductName }

// Locales returns the languages of the pages, the default first.
func (p *Pages) Locales() []string {
	tags := make([]string, len(p.locales))
	for i, loc := range p.locales {
		tags[i] = loc.tag.String()
	}
	return tags
}

// Render writes the page of a view, in the language that the view's Locales or the request ask for.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, v View) error {
	if e, ok := v.(Error); ok && e.RequestID == "" {
		e.RequestID = request.From(r.Context()).ID
		v = e
	}
	asked := v.asks()
	l := p.localeFor(r, asked.Locales)
	body, err := p.execute(v, l)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", l.tag.String())
	h.Set("Content-Security-Policy", p.policy(asked))
	h.Set("Cache-Control", "no-store")
	if wait := asked.retryAfter; wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second))) // rounded up: earlier would be too early
	}
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// localeFor returns the language that ui_locales asks for (OpenID Connect Core §3.1.2.1: BCP 47 tags separated by spaces), or else
// the one of Accept-Language, or else the default.
func (p *Pages) localeFor(r *http.Request, uiLocales string) *locale {
	for _, wanted := range []string{strings.Join(strings.Fields(uiLocales), ","), r.Header.Get("Accept-Language")} {
		const maxLength = 200 // far more than a browser sends; matching takes time for each tag
		if wanted == "" || len(wanted) > maxLength {
			continue
		}
		tags := languages(wanted)
		if len(tags) == 0 {
			continue
		}
		if _, i, confidence := p.matcher.Match(tags...); confidence != language.No {
			return p.locales[i]
		}
	}
	return p.locales[0]
}

// policy returns the Content-Security-Policy: only files of this server, and no script except on the form_post page.
//
// form-action limits where forms may be sent, and browsers apply it to every redirect that follows. After a form that leads back to
// an application, these include the application's own redirects: if it receives the response on one host and redirects to another,
// or to a native application, the browser would block it and the user would be stuck on this page. So these pages have no
// form-action. Their forms are safe without it, since untrusted text never becomes markup.
func (p *Pages) policy(d demands) string {
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src 'self'; img-src 'self'")
	if p.fonts {
		b.WriteString("; font-src 'self'")
	}
	if d.script {
		b.WriteString("; script-src 'self'")
	}
	if !d.Away {
		b.WriteString("; form-action 'self'")
	}
	b.WriteString("; base-uri 'none'; frame-ancestors 'none'")
	return b.String()
}
