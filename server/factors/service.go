package factors

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"latchkey/server/claims"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/seal"
	"latchkey/server/keys"
	"latchkey/storage"
)

// Policy says whether logins need a second factor.
type Policy string

// The policies.
const (
	// Off asks for none, and users can't add any.
	Off Policy = "off"
	// Optional asks those who have one.
	Optional Policy = "optional"
	// Required asks all, and lets those who have none add one at their next login.
	Required Policy = "required"
)

// Store is the part of storage.Store that factors need.
type Store interface {
	storage.Factors
	storage.Throttles
	audit.Store
	User(ctx context.Context, id int64) (*storage.User, error)
}

// Config configures a Service.
type Config struct {
	Store Store
	// Root is nil for commands of operators, which prove and add no factors.
	Root *keys.Root
	// Audit may be nil.
	Audit *audit.Log
	// Issuer is the issuer identifier. Its host is what applications show beside their codes, and the domain of passkeys.
	Issuer string
	// Policy is that of all users; empty means Off. Members of one of Groups need a second factor if it is Optional.
	Policy Policy
	Groups []string
	// Ending calls what ends the sessions of a user with the logout notices for their clients; nil = without any.
	Ending func(ctx context.Context, userID int64, end func(notices ...*storage.LogoutNotice) error) error
	// Alerts means that letters are sent, which notify users of factors that were added or removed.
	Alerts bool
	// Now returns the current time.
	Now func() time.Time
}

// Service manages and proves the factors of users.
type Service struct {
	cfg    Config
	host   string
	sealer *seal.Sealer
	// keys are those of the MACs: the first makes, all find.
	keys [][]byte
	// webauthn is nil where passkeys can't be: browsers have none for a host that is an IP address.
	webauthn *webauthn.WebAuthn
}

// New returns a Service.
func New(cfg Config) (*Service, error) {
	if cfg.Policy == "" {
		cfg.Policy = Off
	}
	if cfg.Audit == nil {
		cfg.Audit = &audit.Log{Store: cfg.Store, Now: cfg.Now}
	}
	if cfg.Root == nil {
		return &Service{cfg: cfg}, nil
	}
	u, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("second factors: issuer: %w", err)
	}
	s := &Service{cfg: cfg, host: u.Hostname(), keys: cfg.Root.Derive("second factors")}
	if s.sealer, err = seal.New(cfg.Root.Derive("second factor secrets")); err != nil {
		return nil, fmt.Errorf("second factors: %w", err)
	}
	s.webauthn = relyingParty(u)
	return s, nil
}

// Off reports whether there are no second factors here. A nil Service is off.
func (s *Service) Off() bool { return s == nil || s.cfg.Policy == Off }

// Passkeys reports whether users can log in with passkeys.
func (s *Service) Passkeys() bool { return !s.Off() && s.webauthn != nil }

// ACRs returns the values of acr that logins can have.
func (s *Service) ACRs() []string {
	switch {
	case s.Off():
		return claims.ACRs()[:1]
	case s.webauthn == nil:
		return claims.ACRs()[:2]
	}
	return claims.ACRs()
}

// Need is what a login needs besides the password.
type Need int

// The needs.
const (
	// NeedNothing is the password alone.
	NeedNothing Need = iota
	// NeedProof is a factor that the user has.
	NeedProof
	// NeedEnrolment is a factor that the user has to add first.
	NeedEnrolment
)

// Need returns what a login of the user needs. has is whether they have a second factor. The profile of the user must have been read.
func (s *Service) Need(u *storage.User, has bool) Need {
	switch {
	case s.Off():
		return NeedNothing
	case has:
		return NeedProof
	case s.cfg.Policy == Required || slices.ContainsFunc(u.Groups, s.requires):
		return NeedEnrolment
	}
	return NeedNothing
}

func (s *Service) requires(group string) bool { return slices.Contains(s.cfg.Groups, group) }

// RequiredOfAll reports whether each login needs a second factor.
func (s *Service) RequiredOfAll() bool { return s.cfg.Policy == Required }

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// event returns an audit event about a user.
func (s *Service) event(ctx context.Context, action, actor string, userID int64) *storage.AuditEvent {
	e := s.cfg.Audit.Event(ctx, action, actor)
	e.UserID = userID
	return e
}

// Errors of proofs and enrolments, besides *users.ThrottledError and outages.
var (
	// ErrWrong: the code or the answer of the authenticator is not valid, was used already, or is too old.
	ErrWrong = errors.New("the second factor is not valid")
	// ErrExpired: the page is too old, or belongs to another user.
	ErrExpired = errors.New("the page is too old")
	// ErrTooMany: the user has as many factors of this kind as there may be.
	ErrTooMany = errors.New("too many factors of this kind")
)

// RequiredOfSome reports whether somebody must have a second factor.
func (s *Service) RequiredOfSome() bool {
	return !s.Off() && (s.RequiredOfAll() || len(s.cfg.Groups) > 0)
}

// relyingParty returns what checks the ceremonies for the host of the issuer, or nil if that can't be a relying party: it must be a domain
// (Web Authentication §5.1.2), and the pages must be a secure context.
func relyingParty(issuer *url.URL) *webauthn.WebAuthn {
	host := issuer.Hostname()
	if protocol.ValidateRPID(host) != nil || issuer.Scheme != "https" && host != "localhost" {
		return nil
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: host, RPOrigins: []string{issuer.Scheme + "://" + issuer.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			// A passkey where the authenticator can, a security key for the second step otherwise.
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		},
		// Some password managers answer with extensions that were not asked for; none of them is looked at.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil
	}
	return w
}
