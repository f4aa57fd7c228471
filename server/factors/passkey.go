package factors

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"latchkey/storage"
)

// credential is the content of Factor.Data.
type credential struct {
	// Handle is the user handle: random bytes, the same for all credentials of a user (§14.6.1).
	Handle     []byte              `json:"handle"`
	Credential webauthn.Credential `json:"credential"`
}

// owner is a user as the library sees them.
type owner struct {
	user        *storage.User
	handle      []byte
	credentials []webauthn.Credential
	factors     []*storage.Factor
}

func (o *owner) WebAuthnID() []byte                         { return o.handle }
func (o *owner) WebAuthnName() string                       { return o.user.Username }
func (o *owner) WebAuthnDisplayName() string                { return o.user.Username }
func (o *owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

// ownerOf returns the user of passkeys.
func ownerOf(u *storage.User, passkeys []*storage.Factor) *owner {
	o := &owner{user: u}
	for _, f := range passkeys {
		var c credential
		if json.Unmarshal(f.Data, &c) != nil {
			continue // of a later release
		}
		c.Credential.Authenticator.SignCount = uint32(f.Counter)
		o.handle, o.credentials, o.factors = c.Handle, append(o.credentials, c.Credential), append(o.factors, f)
	}
	if o.handle == nil {
		o.handle = make([]byte, 32)
		rand.Read(o.handle)
	}
	return o
}

// Ceremony is what a page needs to ask an authenticator.
type Ceremony struct {
	// Options are those of navigator.credentials.create or get, as JSON (§5.1.8, §5.1.9).
	Options string
	// State is what comes back with the answer, sealed.
	State string
}

// ceremony is the content of Ceremony.State.
type ceremony struct {
	Session webauthn.SessionData `json:"s"`
	// User is 0 where any user may answer.
	User int64 `json:"u,omitempty"`
	At   int64 `json:"t"` // microseconds
}

// The purposes of states: an answer to one kind of question answers no other.
const (
	sealCreate = "webauthn create"
	sealSecond = "webauthn second factor"
	sealLogin  = "webauthn login"
)

func (s *Service) ceremony(purpose string, userID int64, options any, session *webauthn.SessionData) (*Ceremony, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return nil, fmt.Errorf("options of a ceremony: %w", err)
	}
	state, err := s.sealer.SealJSON(purpose, ceremony{Session: *session, User: userID, At: s.now().UnixMicro()})
	if err != nil {
		return nil, fmt.Errorf("seal a ceremony: %w", err)
	}
	return &Ceremony{Options: string(text), State: state}, nil
}

func (s *Service) openCeremony(purpose string, userID int64, state string) (c ceremony, err error) {
	if s.webauthn == nil || s.sealer.OpenJSON(purpose, state, &c) != nil || c.User != userID || !s.fresh(c.At) {
		return c, ErrExpired
	}
	return c, nil
}

// once lets one request go on with the answer to a challenge (§13.4.3).
func (s *Service) once(ctx context.Context, c ceremony) error {
	bucket := storage.Bucket{Key: s.mac(0, "challenge", c.User, c.Session.Challenge), Burst: 1, Interval: 2 * enrolmentTTL}
	wait, err := s.cfg.Store.TakeAttempts(context.WithoutCancel(ctx), s.now(), bucket)
	if err != nil {
		return fmt.Errorf("use up a challenge: %w", err)
	}
	if wait > 0 {
		return ErrWrong
	}
	return nil
}

// NewPasskey asks for a passkey or a security key that is to be added.
func (s *Service) NewPasskey(set *Set) (*Ceremony, error) {
	o := ownerOf(set.User, set.Passkeys)
	options, session, err := s.webauthn.BeginRegistration(o, webauthn.WithExclusions(webauthn.Credentials(o.credentials).CredentialDescriptors()))
	if err != nil {
		return nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	return s.ceremony(sealCreate, set.User.ID, options.Response, session)
}

// AddPasskey adds the passkey of an answer. The first second factor of a user comes with recovery codes. It returns the methods of the proof
// too. The error is ErrWrong, ErrExpired, ErrTooMany or an outage.
func (s *Service) AddPasskey(ctx context.Context, set *Set, state, answer, label string) (codes, methods []string, err error) {
	c, err := s.openCeremony(sealCreate, set.User.ID, state)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, nil, ErrWrong
	}
	o := ownerOf(set.User, set.Passkeys)
	o.handle = c.Session.UserID // drawn for the question if it is the first passkey
	made, err := s.webauthn.CreateCredential(o, c.Session, parsed)
	if err != nil {
		return nil, nil, ErrWrong
	}
	if err := s.once(ctx, c); err != nil {
		return nil, nil, err
	}
	made.Attestation = webauthn.CredentialAttestation{} // none is asked for
	f := s.newFactor(set.User, storage.FactorWebAuthn, name(label, "Passkey"))
	f.Lookup, f.Counter = sha256.Sum256(made.ID), int64(made.Authenticator.SignCount)
	if f.Data, err = json.Marshal(credential{Handle: o.handle, Credential: *made}); err != nil {
		return nil, nil, fmt.Errorf("store a passkey: %w", err)
	}
	codes, err = s.add(ctx, set, f, maxPasskeys)
	return codes, methodsOf(made), err
}

// AskSecond asks for one of the user's passkeys or security keys, after the password. Without one it returns nil.
func (s *Service) AskSecond(set *Set) (*Ceremony, error) {
	o := ownerOf(set.User, set.Passkeys)
	if s.webauthn == nil || len(o.credentials) == 0 {
		return nil, nil
	}
	options, session, err := s.webauthn.BeginLogin(o, webauthn.WithUserVerification(protocol.VerificationDiscouraged))
	if err != nil {
		return nil, fmt.Errorf("ask for a security key: %w", err)
	}
	return s.ceremony(sealSecond, set.User.ID, options.Response, session)
}

// ProveSecond checks the answer to AskSecond. It returns the methods of the proof (RFC 8176). The error is ErrWrong, ErrExpired or an outage.
func (s *Service) ProveSecond(ctx context.Context, set *Set, state, answer string) (methods []string, err error) {
	c, err := s.openCeremony(sealSecond, set.User.ID, state)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, ErrWrong
	}
	o := ownerOf(set.User, set.Passkeys)
	o.handle = slices.Clone(c.Session.UserID)
	used, err := s.webauthn.ValidateLogin(o, c.Session, parsed)
	if err != nil {
		return nil, ErrWrong
	}
	return s.proved(ctx, c, o, used)
}

// AskLogin asks for a passkey of any user.
func (s *Service) AskLogin() (*Ceremony, error) {
	options, session, err := s.webauthn.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	return s.ceremony(sealLogin, 0, options.Response, session)
}

// ProveLogin checks the answer to AskLogin, which replaces the password and the second factor: the authenticator has verified
// the user. It returns the user and the methods of the proof (RFC 8176). The error is ErrWrong, ErrExpired or an outage.
func (s *Service) ProveLogin(ctx context.Context, state, answer string) (u *storage.User, methods []string, err error) {
	c, err := s.openCeremony(sealLogin, 0, state)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, nil, ErrWrong
	}
	f, err := s.cfg.Store.FactorByLookup(ctx, storage.FactorWebAuthn, sha256.Sum256(parsed.RawID))
	if err == nil {
		u, err = s.cfg.Store.User(ctx, f.UserID)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil, ErrWrong
	}
	if err != nil {
		return nil, nil, fmt.Errorf("find the user of a passkey: %w", err)
	}
	o := ownerOf(u, []*storage.Factor{f})
	find := func(_, _ []byte) (webauthn.User, error) { return o, nil } // the library compares the handle
	_, used, err := s.webauthn.ValidatePasskeyLogin(find, c.Session, parsed)
	if err != nil || !u.Active {
		return nil, nil, ErrWrong
	}
	methods, err = s.proved(ctx, c, o, used)
	return u, methods, err
}

// proved uses up the challenge and notes the use of a passkey. A counter that went back is that of a copy (§6.1.1).
func (s *Service) proved(ctx context.Context, c ceremony, o *owner, used *webauthn.Credential) ([]string, error) {
	if used.Authenticator.CloneWarning {
		e := s.event(ctx, "passkey_counter_went_back", "user", o.user.ID)
		e.Outcome = "denied"
		if err := s.cfg.Audit.Append(ctx, s.cfg.Audit.Limited(ctx, e)); err != nil {
			return nil, err
		}
		return nil, ErrWrong
	}
	if err := s.once(ctx, c); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(o.credentials, func(c webauthn.Credential) bool { return slices.Equal(c.ID, used.ID) })
	f := o.factors[i]
	data, err := json.Marshal(credential{Handle: o.handle, Credential: *used})
	if err != nil {
		return nil, fmt.Errorf("store a passkey: %w", err)
	}
	err = s.use(ctx, storage.FactorUse{ID: f.ID, UserID: f.UserID, Counter: int64(used.Authenticator.SignCount), Data: data}, nil)
	if err != nil {
		return nil, err
	}
	return methodsOf(used), nil
}

// methodsOf returns the methods of a proof (RFC 8176 §2).
func methodsOf(c *webauthn.Credential) []string {
	method := "hwk"
	if c.Flags.BackupEligible { // its key is copied between devices
		method = "swk"
	}
	return []string{method, methodUser, methodMFA}
}

// Synced reports whether the key of a passkey is copied between the devices of the user.
func Synced(f *storage.Factor) bool {
	var c credential
	return f.Kind == storage.FactorWebAuthn && json.Unmarshal(f.Data, &c) == nil && c.Credential.Flags.BackupState
}
