package web

import (
	"unicode"

	"latchkey/server/web/look"
)

func (c ClientInfo) cleaned() ClientInfo {
	c.Name = clean(c.Name, maxName)
	c.URI, c.PolicyURI, c.TosURI = webLink(c.URI), webLink(c.PolicyURI), webLink(c.TosURI)
	if c.Unverified {
		// The operator has not checked where they lead, and a link on this page would suggest so.
		c.URI, c.PolicyURI, c.TosURI = "", "", ""
	}
	return c
}

// look returns the look of pages about the client. One that the operator has not verified has none (RFC 6749 §10.11: people must be able
// to tell whose page it is): what Latchkey shows of it must not look like the page of another.
func (c ClientInfo) look() look.Client {
	if c.Unverified {
		return look.Client{}
	}
	return c.Look
}

// Title returns the client's name, or its id if it has none.
func (c ClientInfo) Title() string {
	if c.Name != "" {
		return c.Name
	}
	return clean(c.ID, maxName)
}

// Initial returns the letter that is shown if there is no logo.
func (c ClientInfo) Initial() string {
	for _, r := range c.Title() {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "?"
}
