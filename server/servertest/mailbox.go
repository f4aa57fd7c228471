package servertest

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/net/html"

	"latchkey/server"
	"latchkey/server/mail"
)

// Mailbox has the letters that a server sent.
type Mailbox struct {
	mu     sync.Mutex
	got    []mail.Post
	refuse error
}

// Refuse makes deliveries fail with an error until the next call; nil accepts them again.
func (m *Mailbox) Refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = err
}

// Deliver implements mail.Transport.
func (m *Mailbox) Deliver(_ context.Context, p *mail.Post) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		return m.refuse
	}
	m.got = append(m.got, *p)
	return nil
}

// Mail makes the server send letters to a mailbox.
func Mail(m *Mailbox) Option {
	return Configure(func(c *server.Config) {
		c.Mail = server.Mail{Transport: m, From: "Latchkey <no-reply@latchkey.example>"}
	})
}

// Letters sends what is due, and gives the letters to an address since the last call.
func (s *Server) Letters(m *Mailbox, to string) []Letter {
	s.t.Helper()
	if err := s.SendLetters(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var theirs []Letter
	rest := m.got[:0]
	for _, p := range m.got {
		if p.To == to {
			theirs = append(theirs, Letter{p})
		} else {
			rest = append(rest, p)
		}
	}
	m.got = rest
	return theirs
}

// Letter gives the one letter to an address since the last call. The test ends if there is none, or another.
func (s *Server) Letter(m *Mailbox, to string) Letter {
	s.t.Helper()
	list := s.Letters(m, to)
	if len(list) != 1 {
		s.t.Fatalf("%d letters to %s: %v", len(list), to, list)
	}
	return list[0]
}

// Letter is a letter that arrived.
type Letter struct{ mail.Post }

// Link gives the address in the letter.
func (l Letter) Link() string {
	for line := range strings.SplitSeq(l.Text, "\n") {
		if u, err := url.Parse(line); err == nil && u.IsAbs() {
			return line
		}
	}
	return ""
}

var code = regexp.MustCompile(`(?m)^\d{4} \d{4}$`)

// Code gives the code in the letter.
func (l Letter) Code() string { return code.FindString(l.Text) }

// Click follows the link of a page that has a text.
func (p *Page) Click(label string) *Page {
	p.t.Helper()
	doc, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		p.t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Data != "a" || n.FirstChild == nil || n.FirstChild.Data != label {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "href" {
				return p.b.visit("GET", p.b.absolute(p.URL, a.Val), "", Header("Sec-Fetch-Site", "same-origin"))
			}
		}
	}
	p.t.Fatalf("no link %q on the page %s: %s", label, p.URL, p.Body)
	return nil
}
