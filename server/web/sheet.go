package web

import (
	"fmt"
	"time"
)

// sheet is what templates see as their dot: the view and its words. docs/branding.md describes it to operators.
type sheet struct {
	View View

	pages  *Pages
	locale *locale
	now    time.Time
}

// Name is the page's name.
func (s *sheet) Name() string { return s.View.page() }

func (s *sheet) Lang() string { return s.locale.tag.String() }

func (s *sheet) Dir() string { return s.locale.direction() }

func (s *sheet) Brand() *Brand { return s.pages.brand }

// Path gives the address of a path on this server.
func (s *sheet) Path(path string) string { return s.pages.base + path }

// Static gives the address of a file of the folder static.
func (s *sheet) Static(name string) (string, error) {
	f, ok := s.pages.files[name]
	if !ok {
		return "", fmt.Errorf("there is no static file %q", name)
	}
	return s.pages.base + "/static/" + f.url, nil
}

// T gives a text; args are the names and values of its placeholders.
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

// N gives a text that depends on a number.
func (s *sheet) N(key string, n int) string { return s.locale.count(key, n) }

// Part is a piece of a text: ours, then what is filled in behind it: somebody else's words, or a time.
type Part struct {
	Text    string
	Foreign string
	Moment  *Moment
}

// M gives a text in parts, for the template msg: what is filled in is somebody else's, which templates keep apart by <bdi>.
func (s *sheet) M(key string, args ...any) ([]Part, error) {
	m, ok := s.locale.messages[key]
	if !ok {
		return nil, fmt.Errorf("there is no text %q", key)
	}
	parts := make([]Part, 0, len(m))
	var next Part
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
			case *Moment:
				next.Moment = v
			case string:
				next.Foreign = v
			default:
				next.Foreign = fmt.Sprint(v)
			}
		}
		parts = append(parts, next)
		next = Part{}
	}
	if next != (Part{}) {
		parts = append(parts, next)
	}
	return parts, nil
}

// Span gives a duration in words.
func (s *sheet) Span(d time.Duration) string { return s.locale.span(d) }

// Ago and Day give a time in words, for the template time.
func (s *sheet) Ago(t time.Time) *Moment { return s.locale.ago(t, s.now) }

func (s *sheet) Day(t time.Time) *Moment { return s.locale.day(t) }

// Problem gives the words for a problem, or nothing for none.
func (s *sheet) Problem(p Problem, wait time.Duration) string {
	if p == ProblemNone {
		return ""
	}
	if p == ProblemThrottled && wait > 0 {
		return s.locale.text("problem.throttled_wait", "time", s.locale.span(wait))
	}
	if m, ok := s.locale.messages["problem."+string(p)]; ok {
		return m.format()
	}
	return s.locale.text("problem.other")
}

// Notice gives the words for what was done, or nothing.
func (s *sheet) Notice(n Notice) string { return s.locale.text("notice." + string(n)) }

// NewPassword: the problem is about the new password.
func (s *sheet) NewPassword() bool {
	a, ok := s.View.(Account)
	return ok && (a.Problem == ProblemPasswordWeak || a.Problem == ProblemPasswordInvalid || a.Problem == ProblemMismatch)
}

// Scope is a scope with its words. Title is empty when there are none.
type Scope struct {
	Name string
	ScopeWords
	New bool
}

// Scopes adds the words. New is only told where some are new and some are not.
func (s *sheet) Scopes(scopes []ScopeInfo) []Scope {
	list := make([]Scope, len(scopes))
	added := 0
	for i, x := range scopes {
		list[i] = Scope{Name: x.Name, ScopeWords: s.locale.scopes[x.Name], New: x.New}
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

// Event gives what happened in words, in parts for the template msg.
func (s *sheet) Event(action string) ([]Part, error) {
	key := "event." + action
	if _, ok := s.locale.messages[key]; ok {
		return s.M(key)
	}
	return s.M("event.other", "action", action)
}

// Agent gives a browser and its system in words.
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

// Kind is the kind of an error: request, refused, not_found, expired, busy or server.
func (s *sheet) Kind() string {
	e, _ := s.View.(Error)
	return kind(e.Status, e.Code)
}
