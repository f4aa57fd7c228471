package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"latchkey/server/internal/outbox"
	"latchkey/storage"
)

// smtpTimeout bounds each step of a delivery.
const smtpTimeout = 10 * time.Second

// SMTP is a server that accepts letters.
type SMTP struct {
	host    string
	port    int
	options []gomail.Option
	trust   *tls.Config
}

// ParseSMTP reads the URL of a server: smtp://USER@HOST:587 demands STARTTLS before anything else, smtps://USER@HOST:465 is TLS from the
// start. ?tls=off sends in the clear, for a relay on this machine or a private network. An empty password is the URL's.
func ParseSMTP(text string, password storage.Secret) (*SMTP, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" || u.Fragment != "" {
		return nil, errors.New("is not smtp://USER@HOST:PORT or smtps://USER@HOST:PORT") // the text may hold a password
	}
	s := &SMTP{host: u.Hostname(), port: 587}
	if u.Scheme == "smtps" {
		s.port = 465
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, errors.New("has no valid port")
		}
	}
	query := u.Query()
	secure := query.Get("tls")
	query.Del("tls")
	switch {
	case len(query) > 0 || secure != "" && secure != "off":
		return nil, errors.New("has another parameter than tls=off")
	case secure == "off" && u.Scheme == "smtps":
		return nil, errors.New("is smtps with tls=off: one of the two")
	}
	s.options = []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(smtpTimeout)}
	switch {
	case u.Scheme == "smtps":
		s.options = append(s.options, gomail.WithSSL(), gomail.WithTLSPolicy(gomail.NoTLS))
	case secure == "off":
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		s.options = append(s.options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	return s, s.authenticate(u, password, secure == "off")
}

// authenticate adds the credentials, if there are any. In the clear they go to this machine only (RFC 4954 §4).
func (s *SMTP) authenticate(u *url.URL, password storage.Secret, clear bool) error {
	if u.User == nil || u.User.Username() == "" {
		if password.Reveal() != "" {
			return errors.New("has no user for the password of --smtp-password: write it like smtp://USER@HOST:PORT")
		}
		return nil
	}
	secret := password.Reveal()
	if secret == "" {
		secret, _ = u.User.Password()
	}
	if secret == "" {
		return errors.New("has a user without a password: set --smtp-password (LATCHKEY_SMTP_PASSWORD_FILE)")
	}
	mechanism := gomail.SMTPAuthAutoDiscover
	if clear {
		ip := net.ParseIP(s.host)
		if s.host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return errors.New("would send a password in the clear: leave out tls=off")
		}
		mechanism = gomail.SMTPAuthPlainNoEnc
	}
	s.options = append(s.options, gomail.WithSMTPAuth(mechanism), gomail.WithUsername(u.User.Username()), gomail.WithPassword(secret))
	return nil
}

// Trust makes the server's certificate be checked with a configuration of its own. It is for tests.
func (s *SMTP) Trust(c *tls.Config) { s.trust = c }

// Address returns host and port.
func (s *SMTP) Address() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

func (s *SMTP) client() (*gomail.Client, error) {
	options := s.options
	if s.trust != nil {
		options = append(options[:len(options):len(options)], gomail.WithTLSConfig(s.trust))
	}
	return gomail.NewClient(s.host, options...)
}

// Check connects, secures the connection and logs in, and sends nothing.
func (s *SMTP) Check(ctx context.Context) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return err
	}
	return c.Close()
}

// Deliver implements Transport.
func (s *SMTP) Deliver(ctx context.Context, p *Post) error {
	msg, err := compose(p)
	if err != nil {
		return fmt.Errorf("%w: %w", outbox.ErrRefused, err)
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	err = c.DialAndSendWithContext(ctx, msg)
	var sending *gomail.SendError
	if !errors.As(err, &sending) {
		return err
	}
	// Its own text, and often the server's, has the recipient, who must not be in a log.
	err = fmt.Errorf("%s: %d %s", sending.Reason, sending.ErrorCode(), sending.EnhancedStatusCode())
	if final(sending) {
		err = fmt.Errorf("%w: %w", outbox.ErrRefused, err)
	}
	return err
}

// final reports whether a server refuses this letter, and not the operator's settings: these may be corrected while it waits.
func final(e *gomail.SendError) bool {
	switch e.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose:
		return !e.IsTemp() && e.ErrorCode() >= 500
	}
	return false
}

// compose returns the message (RFC 5322) with both forms of the text.
func compose(p *Post) (*gomail.Msg, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	from := p.From
	if err := msg.From((&mail.Address{Name: clean(from.Name), Address: from.Address}).String()); err != nil {
		return nil, err
	}
	if err := msg.To(p.To); err != nil {
		return nil, err
	}
	msg.Subject(p.Subject)
	msg.SetMessageIDWithValue(p.ID)
	msg.SetDateWithValue(p.At)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 §5: no automatic answers
	msg.SetGenHeader("Content-Language", p.Lang)
	msg.SetBodyString(gomail.TypeTextPlain, p.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, p.HTML)
	return msg, nil
}
