package web

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/server/web/look"
)

// The maximum length of texts on pages, in characters.
const (
	maxName        = 80
	maxIdentifier  = 160
	maxHost        = 253 // RFC 1035 §2.3.4
	maxDescription = 500
	maxUsername    = 150 // Django's
	maxAgent       = 256 // as server/route keeps it
	maxTyped       = 255
	maxArrived     = 300
)

// cleanLook leaves out links that are none: the operator has set them, and may have been mistaken.
func cleanLook(l look.Client) look.Client {
	l.Name, l.TermsURL, l.PrivacyURL = clean(l.Name, maxName), webLink(l.TermsURL), webLink(l.PrivacyURL)
	return l
}

// clean makes untrusted text safe to show among the page's own: on one line, at most max characters long, without characters
// that are invisible, that change the direction of the text around them, or that stack on top of it.
func clean(s string, max int) string {
	shown, _ := visible(s, max)
	return shown
}

// cleanHost is clean for a host, but shortens it at the front, since the end of a host shows its owner.
func cleanHost(s string) string {
	if n := utf8.RuneCountInString(s); n > maxHost {
		return "…" + clean(string([]rune(s)[n-maxHost:]), maxHost)
	}
	return clean(s, maxHost)
}

// visible is clean, and also reports whether s can be shown unchanged.
func visible(s string, max int) (shown string, whole bool) {
	var b strings.Builder
	length, marks, space := 0, 0, false
	for _, c := range s {
		switch {
		case ' ' < c && c < 0x7f:
			marks = 0
		case unicode.IsSpace(c), unicode.IsControl(c):
			space = true
			continue
		case unseen(c):
			continue
		case unicode.In(c, unicode.Mn, unicode.Me):
			if marks++; marks > 2 { // no script needs more on one letter, and a stack of them covers the lines above
				continue
			}
		default:
			marks = 0
		}
		if space && length > 0 {
			b.WriteByte(' ')
			length++
		}
		space = false
		if length >= max {
			return strings.TrimRight(b.String(), " ") + "…", false
		}
		b.WriteRune(c)
		length++
	}
	return b.String(), b.String() == s
}

// unseen reports whether a character has no visible shape: bidirectional controls, zero-width characters, tags, fillers and
// private-use characters.
func unseen(c rune) bool {
	switch c {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0', utf8.RuneError:
		return true
	}
	return unicode.In(c, unicode.Cf, unicode.Co, unicode.Cs, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// webLink returns s if it is a link to a web page, or an empty string.
func webLink(s string) string {
	const maxLength = 2048
	u, err := url.Parse(s)
	if err != nil || len(s) > maxLength || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return u.String()
}

// Templates only ever see the cleaned copy of a view, so that none can forget to clean. Values that forms send back are unchanged.

func (v Login) cleaned() View {
	v.ClientName, v.Account = clean(v.ClientName, maxName), clean(v.Account, maxUsername)
	v.Username = typed(v.Username)
	return v
}

// typed returns the initial value of a field; nothing for one whose user could not see what they would send.
func typed(value string) string {
	if _, whole := visible(value, maxTyped); !whole {
		return ""
	}
	return value
}

// each returns a copy of a list whose elements are changed.
func each[T any](list []T, change func(*T)) []T {
	list = slices.Clone(list)
	for i := range list {
		change(&list[i])
	}
	return list
}

func cleanScopes(scopes []ScopeInfo) []ScopeInfo {
	return each(scopes, func(s *ScopeInfo) { s.Name = clean(s.Name, maxName) })
}

func (v Consent) cleaned() View {
	v.Username, v.Client, v.RedirectHost = clean(v.Username, maxUsername), v.Client.cleaned(), cleanHost(v.RedirectHost)
	v.Scope, v.Resources = cleanScopes(v.Scope), cleanResources(v.Resources)
	return v
}

func cleanResources(resources []ResourceInfo) []ResourceInfo {
	return each(resources, func(r *ResourceInfo) {
		r.Identifier, r.Name = clean(r.Identifier, maxIdentifier), clean(r.Name, maxName)
	})
}

func (v Device) cleaned() View {
	v.Username, v.UserCode = clean(v.Username, maxUsername), clean(v.UserCode, maxName)
	return v
}

func (v DeviceConfirm) cleaned() View {
	v.Username, v.UserCode, v.Client = clean(v.Username, maxUsername), clean(v.UserCode, maxName), v.Client.cleaned()
	v.Scope, v.Resources, v.Address = cleanScopes(v.Scope), cleanResources(v.Resources), clean(v.Address, maxName)
	return v
}

func (v DeviceDone) cleaned() View {
	v.Client = v.Client.cleaned()
	return v
}

func (v Error) cleaned() View {
	v.Code, v.ClientName = clean(v.Code, maxName), clean(v.ClientName, maxName)
	v.ClientID, v.RedirectURI, v.Advice = clean(v.ClientID, maxIdentifier), clean(v.RedirectURI, maxArrived), clean(v.Advice, maxName)
	v.ReturnURL, v.ReturnHost = webLink(v.ReturnURL), cleanHost(v.ReturnHost)
	v.Description, v.RequestID = clean(v.Description, maxDescription), clean(v.RequestID, maxIdentifier)
	return v
}

func (v Logout) cleaned() View {
	v.Username, v.ClientName = clean(v.Username, maxUsername), clean(v.ClientName, maxName)
	v.Unregistered = clean(v.Unregistered, maxIdentifier)
	return v
}

func (v LoggedOut) cleaned() View {
	v.Unregistered = clean(v.Unregistered, maxIdentifier)
	v.ReturnURL, v.ReturnHost = webLink(v.ReturnURL), cleanHost(v.ReturnHost)
	return v
}

func (v NotLoggedOut) cleaned() View {
	v.Unregistered = clean(v.Unregistered, maxIdentifier)
	return v
}

func (v FormPost) cleaned() View { return v }

func (v Account) cleaned() View {
	v.Username, v.Email = clean(v.Username, maxUsername), clean(v.Email, maxUsername)
	v.Sessions = each(v.Sessions, func(s *SessionInfo) { s.UserAgent, s.Address = clean(s.UserAgent, maxAgent), clean(s.Address, maxName) })
	v.Apps = each(v.Apps, func(a *AppInfo) { a.Client, a.Scope = a.Client.cleaned(), cleanScopes(a.Scope) })
	v.Events = each(v.Events, func(e *EventInfo) {
		e.Action, e.ClientName, e.Address = clean(e.Action, maxName), clean(e.ClientName, maxName), clean(e.Address, maxName)
	})
	// What the user may change of the profile stays as it was typed: it goes into fields.
	v.Profile.Fixed = each(v.Profile.Fixed, func(f *ProfileField) { f.Value = clean(f.Value, maxName) })
	v.Profile.Groups = each(v.Profile.Groups, func(g *string) { *g = clean(*g, maxName) })
	return v
}
