package mail_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"latchkey/server/internal/metrics"
	"latchkey/server/internal/outbox"
	"latchkey/server/mail"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
	"latchkey/storage/testclock"
)

// mailbox is a real SMTP server.
type mailbox struct {
	*smtp.Server
	address string
	// trusted has the certificate; clients of the test trust it.
	trusted *tls.Config

	mu     sync.Mutex
	refuse error
	got    []delivery
}

type delivery struct {
	from, user string
	to         []string
	data       string
	secure     bool
}

// newMailbox starts a server; implicit means TLS from the start.
func newMailbox(t *testing.T, implicit bool) *mailbox {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	web.Close()
	b := &mailbox{trusted: &tls.Config{RootCAs: web.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "127.0.0.1"}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = l.Addr().String()
	b.Server = smtp.NewServer(b)
	b.Domain, b.ErrorLog = "mail.example", slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	b.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
	if implicit {
		l = tls.NewListener(l, b.TLSConfig)
	}
	go b.Serve(l)
	t.Cleanup(func() { b.Close() })
	return b
}

func (b *mailbox) NewSession(c *smtp.Conn) (smtp.Session, error) {
	_, secure := c.TLSConnectionState()
	return &session{box: b, d: delivery{secure: secure}}, nil
}

type session struct {
	box *mailbox
	d   delivery
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "latchkey" || password != "s3cret/+" {
			return smtp.ErrAuthFailed
		}
		s.d.user = user
		return nil
	}), nil
}

func (s *session) Reset()                                      { s.d.from, s.d.to, s.d.data = "", nil, "" }
func (s *session) Logout() error                               { return nil }
func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.d.from = from; return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.d.to = append(s.d.to, to)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	return s.box.refuse
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	s.d.data = string(data)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.got = append(s.box.got, s.d)
	return err
}

func (b *mailbox) all() []delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got
}

// bundle sends letters to a mailbox.
type bundle struct {
	*testing.T
	box    *mailbox
	store  storage.Store
	clock  *testclock.Clock
	mailer *mail.Mailer
	sender *outbox.Sender
	log    bytes.Buffer
}

func setup(t *testing.T, box *mailbox, url string, change ...func(*mail.Config)) *bundle {
	t.Helper()
	b := &bundle{T: t, box: box, store: sqlitetest.SQLite(t), clock: testclock.New(time.Now().UTC().Truncate(time.Second))}
	transport, err := mail.ParseSMTP(url, "")
	if err != nil {
		t.Fatal(err)
	}
	transport.Trust(box.trusted)
	cfg := mail.Config{
		Transport: transport, From: "Müller & Co <no-reply@example.com>", Product: "Latchkey", Issuer: "https://id.example",
		Keys: [][]byte{bytes.Repeat([]byte{1}, 32)}, Now: b.clock.Now, Store: b.store,
	}
	for _, c := range change {
		c(&cfg)
	}
	if b.mailer, err = mail.New(cfg); err != nil {
		t.Fatal(err)
	}
	b.sender = outbox.NewSender(outbox.Sending{
		Kind: mail.Kind, Store: b.store, Send: b.mailer.Send, Now: b.clock.Now, Logger: slog.New(slog.NewTextHandler(&b.log, nil)), Metrics: metrics.New(),
		Undelivered: b.mailer,
	})
	return b
}

func (b *bundle) send(l mail.Letter, key ...string) {
	b.Helper()
	message, err := b.mailer.Message(l, key...)
	if err != nil {
		b.Fatal(err)
	}
	if l.To != "" && bytes.Contains(message.Payload, []byte(l.To)) || l.Link != "" && bytes.Contains(message.Payload, []byte(l.Link)) {
		b.Error("the row shows whom the letter goes to, or its link")
	}
	if err := b.store.CreateOutboxMessages(b.Context(), message); err != nil {
		b.Fatal(err)
	}
	if err := b.sender.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// letter reads a delivery: its headers and both forms of the text.
func letter(t *testing.T, d delivery) (h netmail.Header, text, html string) {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(d.data))
	if err != nil {
		t.Fatalf("%v: %s", err, d.data)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return m.Header, text, html
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			html = string(body)
		} else {
			text = string(body)
		}
	}
}

func TestLettersArriveBySTARTTLSAndByTLS(t *testing.T) {
	t.Parallel()
	for scheme, implicit := range map[string]bool{"smtp": false, "smtps": true} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			box := newMailbox(t, implicit)
			b := setup(t, box, scheme+"://latchkey:s3cret%2F%2B@"+box.address)
			link := "https://id.example/reset?token=" + strings.Repeat("Ab_-", 40) + "&x=1"
			b.send(mail.Letter{Name: mail.Reset, To: "ann@example.org", Lang: "de-AT,de;q=0.9,en;q=0.8", Username: "Änn <b>", Link: link, Until: b.clock.Now().Add(30 * time.Minute)})
			got := box.all()
			if len(got) != 1 || !got[0].secure || got[0].user != "latchkey" || got[0].from != "no-reply@example.com" || strings.Join(got[0].to, " ") != "ann@example.org" {
				t.Fatalf("delivered %+v; log %s", got, b.log.String())
			}
			h, text, html := letter(t, got[0])
			subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
			if err != nil || subject != "Neues Passwort wählen" {
				t.Errorf("the subject is %q", subject)
			}
			if from, err := h.AddressList("From"); err != nil || from[0].Name != "Müller & Co" {
				t.Errorf("from %v %v", from, err)
			}
			if h.Get("Auto-Submitted") != "auto-generated" || !strings.HasSuffix(h.Get("Message-ID"), "@example.com>") || h.Get("Date") == "" {
				t.Errorf("headers %v", h)
			}
			if !strings.Contains(text, "\r\n"+link+"\r\n") || !strings.Contains(text, "„Änn <b>“") || !strings.Contains(text, "30 Minuten") {
				t.Errorf("the text is %s", text)
			}
			if !strings.Contains(html, `<a href="`+strings.ReplaceAll(link, "&", "&amp;")+`">`) || strings.Contains(html, "<b>") || !strings.Contains(html, `lang="de"`) {
				t.Errorf("the HTML is %s", html)
			}
		})
	}
}

func TestLettersAreNotSentInTheClear(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, false)
	box.TLSConfig = nil // offers no STARTTLS
	b := setup(t, box, "smtp://"+box.address)
	b.send(mail.Letter{Name: mail.AddressChanged, To: "ann@example.org"})
	if got := box.all(); got != nil {
		t.Errorf("delivered in the clear: %+v", got)
	}
	clear := setup(t, box, "smtp://"+box.address+"?tls=off")
	clear.send(mail.Letter{Name: mail.AddressChanged, To: "ann@example.org"})
	if got := box.all(); len(got) != 1 {
		t.Errorf("a relay without TLS got %+v; log %s", got, clear.log.String())
	}
}

func TestARefusedMailboxEndsTheAttemptsAndABusyOneDoesNot(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, false)
	b := setup(t, box, "smtp://"+box.address+"?tls=off")
	box.refuse = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "greylisted"}
	b.send(mail.Letter{Name: mail.AddressChanged, To: "ann@example.org"}, "change 1")
	b.send(mail.Letter{Name: mail.AddressChanged, To: "ann@example.org"}, "change 1")
	box.mu.Lock()
	box.refuse = nil
	box.mu.Unlock()
	b.clock.Advance(time.Minute)
	if err := b.sender.Flush(t.Context()); err != nil || len(box.all()) != 1 {
		t.Errorf("after a temporary refusal %d arrived: %v; %s", len(box.all()), err, b.log.String())
	}
	box.mu.Lock()
	box.refuse = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	box.mu.Unlock()
	b.send(mail.Letter{Name: mail.AddressChanged, To: "bob@example.org"})
	if n, _, err := b.store.WaitingOutboxMessages(t.Context(), mail.Kind); err != nil || n != 0 || !strings.Contains(b.log.String(), "outcome=refused") {
		t.Errorf("%d wait: %s", n, b.log.String())
	}
	if strings.Contains(b.log.String(), "ann@example.org") {
		t.Errorf("the log has an address: %s", b.log.String())
	}
}

// What users chose themselves never becomes a header or a command.
func TestNamesAndAddressesInjectNothing(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, false)
	b := setup(t, box, "smtp://"+box.address+"?tls=off", func(c *mail.Config) { c.Product = "Latch\r\nBcc: eve@example.org\r\n\r\nkey" })
	b.send(mail.Letter{Name: mail.Invitation, To: "ann@example.org", Username: "x\r\nBcc: eve@example.org\r\n.\r\nMAIL FROM:<x>\u202e", Link: "https://id.example/a"})
	b.send(mail.Letter{Name: mail.Reset, To: "ann@example.org", Username: "x\r\nBcc: eve@example.org\r\n.\r\nMAIL FROM:<x>\u202e", Link: "https://id.example/a"})
	got := box.all()
	if len(got) != 2 {
		t.Fatalf("%d arrived: %s", len(got), b.log.String())
	}
	for _, d := range got {
		h, text, _ := letter(t, d)
		if h.Get("Bcc") != "" || len(d.to) != 1 || strings.Contains(text, "\r\nBcc") || strings.ContainsRune(text, '\u202e') {
			t.Errorf("injected: %s", d.data)
		}
	}
	for _, to := range []string{
		"", "ann", "ann@", "@example.org", "ann@example.org\r\nBcc: eve@example.org", "ann@example.org, eve@example.org", "Ann <ann@example.org>",
		"ann@example.org>", "\"a b\"@example.org", "ann@localhost", "ann@[127.0.0.1]", "a\x00b@example.org", "ann\u202e@example.org", "a(c)@example.org",
		strings.Repeat("a", 65) + "@example.org", "ann@example.org ", "ann@" + strings.Repeat("a.", 130) + "org",
	} {
		if mail.IsAddress(to) {
			t.Errorf("%q is taken for an address", to)
		}
		b.send(mail.Letter{Name: mail.AddressChanged, To: to})
	}
	if len(box.all()) != 2 {
		t.Errorf("letters to what is no address: %+v", box.all()[2:])
	}
	for _, to := range []string{"ann@example.org", "a.b+c@sub.example.org", "o'neil@example.org", "änn@exämple.org"} {
		if !mail.IsAddress(to) {
			t.Errorf("%q is no address", to)
		}
	}
}

func TestTemplatesCanBeReplaced(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, false)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("reset.en.txt", "Subject: Yours, {{.Product}}\n\nGo to\n\n{{.Link}}\n")
	b := setup(t, box, "smtp://"+box.address+"?tls=off", func(c *mail.Config) { c.Dir = dir })
	b.send(mail.Letter{Name: mail.Reset, To: "ann@example.org", Lang: "fr", Username: "ann", Link: "https://id.example/a"})
	h, text, _ := letter(t, box.all()[0])
	if h.Get("Subject") != "Yours, Latchkey" || text != "Go to\r\n\r\nhttps://id.example/a\r\n" {
		t.Errorf("%q, %q", h.Get("Subject"), text)
	}
	for name, bad := range map[string]string{
		"reset.de.txt": "Subject: x\n\n{{.Password}}", "verify.en.txt": "no subject", "invitation.en.txt": "Subject: x", "resett.en.txt": "Subject: x\n\ny",
		"layout.html": "{{",
	} {
		write(name, bad)
		if _, err := mail.New(mail.Config{From: "a@example.com", Dir: dir, Keys: [][]byte{bytes.Repeat([]byte{1}, 32)}, Now: time.Now}); err == nil || !strings.Contains(err.Error(), name[:6]) {
			t.Errorf("%s with %q: %v", name, bad, err)
		}
		os.Remove(filepath.Join(dir, name))
	}
}

func TestSMTPURLs(t *testing.T) {
	t.Parallel()
	for url, fine := range map[string]bool{
		"smtp://mail.example": true, "smtps://u:p@mail.example:465": true, "smtp://u:p@mail.example:2525": true, "smtp://relay:25?tls=off": true,
		"smtp://u:p@127.0.0.1:25?tls=off": true,
		"smtp://u:p@relay:25?tls=off":     false, // a password in the clear
		"mail.example:25":                 false, "http://mail.example": false, "smtp://": false, "smtp://u@mail.example": false,
		"smtps://mail.example?tls=off": false, "smtp://mail.example?verify=no": false, "smtp://mail.example/path": false, "smtp://mail.example:0": false,
	} {
		if _, err := mail.ParseSMTP(url, ""); (err == nil) != fine {
			t.Errorf("%s: %v", url, err)
		} else if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the error shows the password", url)
		}
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	box := newMailbox(t, true)
	check := func(url string) error {
		s, err := mail.ParseSMTP(url, "")
		if err != nil {
			t.Fatal(err)
		}
		s.Trust(box.trusted)
		return s.Check(context.Background())
	}
	if err := check("smtps://latchkey:s3cret%2F%2B@" + box.address); err != nil {
		t.Error(err)
	}
	if err := check("smtps://latchkey:wrong@" + box.address); err == nil || strings.Contains(err.Error(), "wrong@") {
		t.Errorf("a wrong password: %v", err)
	}
	box.Close()
	if err := check("smtps://latchkey:s3cret%2F%2B@" + box.address); err == nil || errors.Is(err, outbox.ErrRefused) {
		t.Errorf("nobody there: %v", err)
	}
}
