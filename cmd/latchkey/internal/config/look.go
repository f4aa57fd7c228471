package config

import (
	"strings"
	"unicode/utf8"

	"latchkey/clients"
	"latchkey/clients/colour"
	"latchkey/server/web"
)

// setName accepts what fits above a page.
func setName(into *string, text string) error {
	const longest = 80
	if clients.CheckText(text) != nil || utf8.RuneCountInString(text) > longest || strings.TrimSpace(text) != text {
		return &invalid{"is not a name", "Use one line of at most 80 visible characters."}
	}
	*into = text
	return nil
}

// setLogo reads the file, so that a mistake is reported with the others.
func setLogo(into *string, file string) error {
	if err := web.CheckLogo(file); err != nil {
		return &invalid{"can't be used: " + err.Error(), "Name an image file that this user may read."}
	}
	*into = file
	return nil
}

// setAccent returns the check of a colour in a scheme.
func setAccent(s colour.Scheme) func(*string, string) error {
	return func(into *string, text string) error {
		if err := s.Check(text); err != nil {
			return &invalid{"can't be used: " + err.Error(), "Write a colour like #2456c6 that can be read (WCAG 2.2 AA)."}
		}
		*into = text
		return nil
	}
}

func setSupport(into *string, text string) error {
	if address, ok := strings.CutPrefix(text, "mailto:"); ok && strings.Contains(address, "@") {
		*into = text
		return nil
	}
	const example = "https://www.example.com/help"
	if setLink(example)(into, text) != nil {
		return &invalid{"is neither an https nor a mailto URL", "Write it like " + example + " or mailto:help@example.com."}
	}
	return nil
}
