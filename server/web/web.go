package web

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"latchkey/server/internal/request"
)

// StaticPath is the route of [Pages.Static], below the issuer's path.
const StaticPath = "/static/{file}"

// Config is what Pages are made of.
type Config struct {
	// Dir is the operator's folder of overrides, or empty. docs/branding.md says what may be in it.
	Dir string
	// BasePath is the path of the issuer, without a slash at its end: "" or "/auth". Every link of a page begins with it.
	BasePath string
	// Now is for times that pages tell by their distance; nil means time.Now.
	Now func() time.Time
}

// Pages renders views. It is safe for concurrent use.
type Pages struct {
	base      string
	now       func() time.Time
	brand     *Brand
	templates map[string]*template.Template // by page
	files     map[string]*file              // by name and by URL name
	locales   []*locale                     // the first is the default
	matcher   language.Matcher
	fonts     bool
}

// Render answers with the page of the view, in the language that the view's Locales or the request ask for.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, v View) error {
	if e, ok := v.(Error); ok && e.RequestID == "" {
		e.RequestID = request.From(r.Context()).ID
		v = e
	}
	asked := v.asks()
	l := p.localeFor(r, asked.locales)
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
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second))) // rounded up: nobody should come back too early
	}
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// execute makes the page in memory, so that a template that fails sends no half of one.
func (p *Pages) execute(v View, l *locale) ([]byte, error) {
	var b bytes.Buffer
	err := p.templates[v.page()].ExecuteTemplate(&b, "layout", &sheet{View: v.cleaned(), pages: p, locale: l, now: p.now()})
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", v.page(), err)
	}
	return b.Bytes(), nil
}

// policy is the Content-Security-Policy: files of ours only, and no script but that of the form_post page.
//
// form-action says where forms may go, and browsers apply it to every redirect behind the form. Behind the forms that lead back
// to an application, these are the application's own: one that takes the answer on one host and goes on to another, or into a
// native application, would find the user stuck on our page. So these pages have none; their forms are ours all the same,
// since nothing that strangers wrote becomes markup.
func (p *Pages) policy(d demands) string {
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src 'self'; img-src 'self'")
	if p.fonts {
		b.WriteString("; font-src 'self'")
	}
	if d.script {
		b.WriteString("; script-src 'self'")
	}
	if !d.away {
		b.WriteString("; form-action 'self'")
	}
	b.WriteString("; base-uri 'none'; frame-ancestors 'none'")
	return b.String()
}
