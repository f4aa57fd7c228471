package mail

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// MailboxPath is where the letters of a Mailbox are shown.
const MailboxPath = "/mailbox"

// mailboxSize is how many letters a Mailbox keeps.
const mailboxSize = 50

// Mailbox is a Transport that keeps the last letters in memory and shows them to everybody who asks. It is for the demo: everybody who reads a letter
// can use its link. No option makes one.
type Mailbox struct {
	mu   sync.Mutex
	kept []Post
}

// Deliver implements Transport.
func (m *Mailbox) Deliver(_ context.Context, p *Post) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = append(m.kept, *p)
	m.kept = m.kept[max(0, len(m.kept)-mailboxSize):]
	return nil
}

// Serve writes the letters as plain text, the newest first: nothing in them is markup to a browser.
func (m *Mailbox) Serve(w http.ResponseWriter, _ *http.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "Letters: %d, the newest first. Reload for more.\n", len(m.kept))
	for i := len(m.kept) - 1; i >= 0; i-- {
		p := m.kept[i]
		fmt.Fprintf(&b, "\n----\nDate: %s\nTo: %s\nSubject: %s\n\n%s\n", p.At.UTC().Format(time.RFC3339), p.To, p.Subject, strings.TrimSpace(p.Text))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte(b.String()))
	return err
}
