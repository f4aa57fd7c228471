package mail

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAddress is that of a path without its brackets (RFC 5321 §4.5.3.1.3).
const maxAddress = 254

// IsAddress reports whether a text is one e-mail address as people have them: nothing else than local@domain, without quotes, comments
// and control characters, so that it can't be anything but one recipient in a header or in an SMTP command.
func IsAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || len(text) > maxAddress || !utf8.ValidString(text) {
		return false
	}
	local, domain, _ := strings.Cut(text, "@")
	odd := func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`"(),:;<>@[\]`, r) || !isPrint(r)
	}
	return len(local) <= 64 && strings.Contains(domain, ".") && !strings.ContainsFunc(local, odd) && !strings.ContainsFunc(domain, odd)
}

// clean returns a text on one line, without characters that change how the text around it looks.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !isPrint(r) {
			return ' '
		}
		return r
	}, text)
	return strings.TrimSpace(text)
}

// isPrint reports whether a character is one that is seen, or a space.
func isPrint(r rune) bool {
	return r != unicode.ReplacementChar && unicode.IsPrint(r) && !unicode.Is(unicode.Bidi_Control, r)
}
