package webhooks

import (
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/clients"
	"latchkey/server/internal/safehttp"
	"latchkey/server/trail"
	"latchkey/storage"
)

// check returns every fault of a target, and puts its types in order.
func (s *Service) check(w *storage.Webhook) error {
	var faults []error
	if err := s.cfg.HTTP.Check(w.URL, options(w.URL)); err != nil || strings.ContainsFunc(w.URL, odd) || !utf8.ValidString(w.URL) {
		if err == nil {
			err = errors.New("it has characters that URLs don't have")
		}
		faults = append(faults, clients.Invalid("url", "it can't be used: %s. It must be an https URL that leads to a public address, without user information, at port 443, "+
			"with http 80, or one from 1024 on that browsers don't block (6000, for example, is X11's); private networks, and http on loopback hosts, are for what --outbound-allow (LATCHKEY_OUTBOUND_ALLOW) names", err))
	}
	if len(w.Name) > 255 || strings.ContainsFunc(w.Name, unicode.IsControl) || !utf8.ValidString(w.Name) {
		faults = append(faults, clients.Invalid("name", "it must be text of at most 255 bytes without control characters"))
	}
	known := trail.Types()
	for _, kind := range w.Types {
		if !slices.Contains(known, kind) {
			faults = append(faults, clients.Invalid("types", "%.100q is not a type of events; there are %s", kind, strings.Join(known, ", ")))
		}
	}
	w.Types = slices.Compact(slices.Sorted(slices.Values(w.Types)))
	return errors.Join(faults...)
}

// odd reports whether a character must be escaped in a URL (RFC 3986 §2).
func odd(r rune) bool { return r <= ' ' || r > '~' }

// options are those of requests to a target. Operators name targets; http is for those on the same machine.
func options(url string) safehttp.Options {
	return safehttp.Options{Trusted: true, AllowHTTP: clients.IsLoopbackURI(url)}
}
