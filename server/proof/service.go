package proof

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/mac"
	"latchkey/server/internal/outbox"
	"latchkey/server/internal/request"
	"latchkey/server/internal/seal"
	"latchkey/server/mail"
	"latchkey/server/users"
	"latchkey/storage"
)

// Kind is that of requests for letters in the outbox.
const Kind = "account"

const (
	// LinkTTL is how long links and codes live.
	LinkTTL = 30 * time.Minute
	// FirstLinkTTL is how long the link lives that an operator sends to a user who has no password yet.
	FirstLinkTTL = 24 * time.Hour
	// DefaultInvitationTTL is how long invitations live.
	DefaultInvitationTTL = 7 * 24 * time.Hour
)

// The purposes of tokens, and with them the addresses of the pages that use them.
const (
	purposeReset      = "reset"
	purposeEmail      = "email"
	purposeSignUp     = "sign-up"
	purposeInvitation = "invitation"
)

// The paths of links, below the issuer's.
const (
	ForgotPath = "/forgot-password"
	ResetPath  = "/reset-password"
	VerifyPath = "/verify-email"
	SignUpPath = "/sign-up"
	FinishPath = "/sign-up/finish"
	// TokenParameter has the secret of a link.
	TokenParameter = "token"
)

const (
	prefix = "lk_ml_"
	sealed = "account request"
	// maxReturnTo bounds what is kept of where a person came from.
	maxReturnTo = 8 << 10
)

// ErrGone is returned for a link or a code that does not exist, has ended, or was used.
var ErrGone = errors.New("the link or the code has ended or was used")

// ErrNoAddress is returned for a user who can't get letters: there is no address, or the user is disabled.
var ErrNoAddress = errors.New("the user has no e-mail address, or is disabled")

// Store is what the service needs of the database.
type Store interface {
	storage.AccountTokens
	storage.Throttles
	storage.UserSearch
	CreateOutboxMessages(ctx context.Context, messages ...*storage.OutboxMessage) error
	ListUndeliveredLetters(ctx context.Context, f storage.UndeliveredLetterFilter) ([]*storage.UndeliveredLetter, error)
	UndeliveredLetter(ctx context.Context, id storage.ID) (*storage.UndeliveredLetter, error)
	RemoveUndeliveredLetter(ctx context.Context, id storage.ID, audit *storage.AuditEvent) error
	UserByUsername(ctx context.Context, username string) (*storage.User, error)
	User(ctx context.Context, id int64) (*storage.User, error)
}

// Config configures a Service.
type Config struct {
	Store  Store
	Users  *users.Service
	Audit  *audit.Log
	Mailer *mail.Mailer
	// Keys seal requests and are those of the MACs: new ones are made with the first, and all are accepted.
	Keys   [][]byte
	Issuer string
	Now    func() time.Time
	// Requested and Written are called after something was put into the outbox: a request, a letter.
	Requested, Written func()
}

// Service makes and checks the links and codes that letters carry.
type Service struct {
	cfg  Config
	seal *seal.Sealer
}

// New returns a Service.
func New(cfg Config) (*Service, error) {
	s, err := seal.New(cfg.Keys)
	if err != nil {
		return nil, fmt.Errorf("seal account requests: %w", err)
	}
	return &Service{cfg, s}, nil
}

// data is what a token keeps, sealed.
type data struct {
	Email    string   `json:"email,omitempty"`
	Lang     string   `json:"lang,omitempty"`
	ReturnTo string   `json:"return_to,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	// Unproved means that the link was not sent by mail, so that it proves no address.
	Unproved bool `json:"unproved,omitempty"`
}

// Link is a link or a code that is valid: neither used nor expired.
type Link struct {
	token *storage.AccountToken
	data  data
	// User is the user it was made for; nil for a sign-up.
	User *storage.User
}

// Email returns the address that the link proves.
func (l *Link) Email() string { return l.data.Email }

// ReturnTo returns the page to which the person returns afterwards, as it was in the request.
func (l *Link) ReturnTo() string { return l.data.ReturnTo }

// find returns the link of a secret, or of whatever else has the MAC.
func (s *Service) find(ctx context.Context, purpose string, parts ...string) (*Link, error) {
	for _, key := range s.cfg.Keys {
		t, err := s.cfg.Store.AccountToken(ctx, mac.SumFramed(key, append([]string{purpose}, parts...)...), purpose, s.now())
		if errors.Is(err, storage.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find link: %w", err)
		}
		l := &Link{token: t}
		if err := s.open(t.Data, purpose, &l.data); err != nil {
			return nil, fmt.Errorf("read link: %w", err)
		}
		if t.UserID == 0 {
			return l, nil
		}
		l.User, err = s.cfg.Store.User(ctx, t.UserID)
		if errors.Is(err, storage.ErrNotFound) {
			return nil, ErrGone
		}
		return l, err
	}
	return nil, ErrGone
}

// open decodes into v what was sealed for a purpose.
func (s *Service) open(sealed []byte, purpose string, v any) error {
	plain, err := s.seal.Open(sealed, purpose)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// link returns the link of a secret.
func (s *Service) link(ctx context.Context, purpose string, secret storage.Secret) (*Link, error) {
	if !clients.IsSecret(prefix, secret) {
		return nil, ErrGone
	}
	return s.find(ctx, purpose, "link", secret.Reveal())
}

// byCode returns the link of a code that was typed, and counts the guess. ErrGone, *users.ThrottledError.
func (s *Service) byCode(ctx context.Context, purpose, boundTo, code string) (*Link, error) {
	if err := s.guess(ctx, boundTo); err != nil {
		return nil, err
	}
	digits := typed(code)
	if digits == "" {
		return nil, ErrGone
	}
	return s.find(ctx, purpose, "code", boundTo, digits)
}

// issue is one letter's tokens.
type issue struct {
	secret storage.Secret
	code   string
	until  time.Time
	tokens []*storage.AccountToken
}

// issue stores the tokens of a letter: a link, and a code if there is a user or a request that it is bound to. Those of an earlier letter about the
// user's address end.
func (s *Service) issue(ctx context.Context, purpose string, u *storage.User, d data, boundTo string, ttl time.Duration) (*issue, error) {
	plain, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("make link: %w", err)
	}
	now := s.now()
	i := &issue{secret: clients.NewSecret(prefix), until: now.Add(ttl)}
	add := func(parts ...string) {
		t := &storage.AccountToken{
			Hash: s.mac(append([]string{purpose}, parts...)...), Purpose: purpose, RequestID: storage.NewID(now), Data: s.seal.Seal(nil, purpose, plain),
			CreatedAt: now, ExpiresAt: i.until,
		}
		if len(i.tokens) > 0 {
			t.RequestID = i.tokens[0].RequestID
		}
		if u != nil {
			t.UserID, t.UserEpoch = u.ID, u.AuthEpoch
		}
		i.tokens = append(i.tokens, t)
	}
	add("link", i.secret.Reveal())
	if boundTo != "" {
		i.code = newCode()
		add("code", boundTo, i.code)
	}
	if err := s.cfg.Store.CreateAccountTokens(ctx, purpose == purposeEmail, i.tokens...); err != nil {
		return nil, fmt.Errorf("store link: %w", err)
	}
	return i, nil
}

// address returns the link's URL.
func (s *Service) address(path string, secret storage.Secret) string {
	return s.cfg.Issuer + path + "?" + url.Values{TokenParameter: {secret.Reveal()}}.Encode()
}

const codeDigits = 8

// newCode returns the digits of a code.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return fmt.Sprintf("%0*d", codeDigits, n.Int64())
}

// spaced returns a code as letters show it.
func spaced(code string) string {
	if len(code) != codeDigits {
		return code
	}
	return code[:4] + " " + code[4:]
}

// typed returns the digits of a code as people type it; empty if it is none.
func typed(code string) string {
	digits := strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(code)
	if len(digits) != codeDigits || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits
}

// The limits. They are always on: --login-throttle off is for load tests of passwords, and must not let others send letters to people or guess
// their codes. Requests are counted before anything is looked up, so they reveal nothing; letters are counted by their recipient.
const (
	networkBurst, networkInterval = 10, 6 * time.Minute
	regionBurst, regionInterval   = 40, 90 * time.Second
	namedBurst, namedInterval     = 3, 10 * time.Minute
	letterBurst, letterInterval   = 3, 20 * time.Minute
	// A code is one of 10^8, and lives as long as the letter: at most 5 guesses at once, and one more each 6 minutes (NIST SP 800-63B-4 §3.1.3.2
	// asks for a limit with fewer than 64 bits).
	guessBurst, guessInterval = 5, 6 * time.Minute
)

// limit takes a request of the client from the buckets of its networks and of what it names.
func (s *Service) limit(ctx context.Context, what, named string) error {
	buckets := []storage.Bucket{{Key: s.mac("named", what, named), Burst: namedBurst, Interval: namedInterval}}
	from := request.From(ctx)
	if network, ok := from.Network(); ok {
		buckets = append(buckets, storage.Bucket{Key: s.mac("network", network), Burst: networkBurst, Interval: networkInterval})
	}
	if region, ok := from.Prefix(48); ok {
		buckets = append(buckets, storage.Bucket{Key: s.mac("network", region), Burst: regionBurst, Interval: regionInterval})
	}
	return s.take(ctx, buckets...)
}

// guess takes a guess at a code.
func (s *Service) guess(ctx context.Context, boundTo string) error {
	return s.take(ctx, storage.Bucket{Key: s.mac("guess", boundTo), Burst: guessBurst, Interval: guessInterval})
}

// take returns a *users.ThrottledError if a bucket is empty.
func (s *Service) take(ctx context.Context, buckets ...storage.Bucket) error {
	wait, err := s.cfg.Store.TakeAttempts(ctx, s.now(), buckets...)
	if err != nil {
		return fmt.Errorf("limit requests for letters: %w", err)
	}
	if wait > 0 {
		return &users.ThrottledError{RetryAfter: wait}
	}
	return nil
}

// mayReach reports whether one more letter may go to an account or an address.
func (s *Service) mayReach(ctx context.Context, whom string) (bool, error) {
	err := s.take(ctx, s.letterBucket(whom))
	var throttled *users.ThrottledError
	if errors.As(err, &throttled) {
		return false, nil
	}
	return err == nil, err
}

func (s *Service) letterBucket(whom string) storage.Bucket {
	return storage.Bucket{Key: s.mac("letter", whom), Burst: letterBurst, Interval: letterInterval}
}

func whomUser(u *storage.User) string { return "user " + strconv.FormatInt(u.ID, 10) }

// queued is a request for letters as the outbox has it, sealed.
type queued struct {
	Purpose  string `json:"purpose"`
	Named    string `json:"named"`
	Lang     string `json:"lang,omitempty"`
	ReturnTo string `json:"return_to,omitempty"`
	// BoundTo is the request that a code is for.
	BoundTo string `json:"bound_to,omitempty"`
}

// enqueue puts a request into the outbox. Requests with the same key within a minute are one.
func (s *Service) enqueue(ctx context.Context, q queued, key ...string) error {
	if len(q.ReturnTo) > maxReturnTo {
		q.ReturnTo = ""
	}
	if len(q.Lang) > 200 {
		q.Lang = ""
	}
	plain, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("queue request: %w", err)
	}
	minute := strconv.FormatInt(s.now().Unix()/60, 10)
	k := sha256.Sum256([]byte(strings.Join(append([]string{q.Purpose, q.Named, minute}, key...), "\x00")))
	m := outbox.Message(Kind, s.mac("request", string(k[:])), s.seal.Seal(nil, sealed, plain), s.now(), LinkTTL)
	if err := s.cfg.Store.CreateOutboxMessages(ctx, m); err != nil {
		return fmt.Errorf("queue request: %w", err)
	}
	s.cfg.Requested()
	return nil
}

// Send makes the letters of a request. It is an outbox.Send.
func (s *Service) Send(ctx context.Context, m *storage.OutboxMessage) ([]*storage.OutboxMessage, error) {
	var q queued
	if err := s.open(m.Payload, sealed, &q); err != nil {
		return nil, fmt.Errorf("read request: %w: %w", outbox.ErrRefused, err)
	}
	defer s.cfg.Written()
	switch q.Purpose {
	case purposeReset:
		return s.resetLetters(ctx, &q)
	case purposeSignUp:
		return s.signUpLetters(ctx, &q)
	}
	return nil, fmt.Errorf("purpose %q: %w", q.Purpose, outbox.ErrRefused)
}

// post puts letters into the outbox.
func (s *Service) post(ctx context.Context, letters ...mail.Letter) error {
	var messages []*storage.OutboxMessage
	for _, l := range letters {
		m, err := s.cfg.Mailer.Message(l)
		if err != nil {
			return err
		}
		messages = append(messages, m)
	}
	if err := s.cfg.Store.CreateOutboxMessages(ctx, messages...); err != nil {
		return fmt.Errorf("queue letters: %w", err)
	}
	s.cfg.Written()
	return nil
}

// letter returns a letter about a user to the user's address.
func letter(name mail.Name, u *storage.User, lang string) mail.Letter {
	if u.Locale != "" {
		lang = strings.ReplaceAll(u.Locale, "_", "-")
	}
	return mail.Letter{Name: name, To: u.Email, Lang: lang, Username: u.Username, UserID: u.ID}
}

// byAddress returns the users with an address, whatever its case; there may be several. Letters go to the address as it is stored.
func (s *Service) byAddress(ctx context.Context, email string) ([]*storage.User, error) {
	const most = 5
	return s.cfg.Store.SearchUsers(ctx, storage.UserFilter{Email: email, Fold: true, Limit: most})
}

func (s *Service) mac(parts ...string) storage.Digest { return mac.SumFramed(s.cfg.Keys[0], parts...) }

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) event(ctx context.Context, action string, userID int64) *storage.AuditEvent {
	e := s.cfg.Audit.Event(ctx, action, "user")
	e.UserID = userID
	return e
}
