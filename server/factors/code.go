package factors

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"latchkey/server/internal/alert"
	"latchkey/server/internal/mac"
	"latchkey/server/users"
	"latchkey/storage"
)

// The limit of guesses of one user's codes: 3 of 10^6 codes are valid at a time, so that somebody who knows the password finds one within a
// day with a probability of 0.2 %.
const (
	guessBurst    = 10
	guessInterval = 2 * time.Minute
)

// The methods of logins, as amr has them (RFC 8176 §2).
const (
	methodOTP  = "otp"
	methodMFA  = "mfa"
	methodUser = "user"
)

// ProveCode checks a code of an application, or a recovery code, and uses it up. It returns the methods of the proof (RFC 8176). The error is
// ErrWrong, a *users.ThrottledError or an outage.
func (s *Service) ProveCode(ctx context.Context, set *Set, code string) (methods []string, err error) {
	bucket := storage.Bucket{Key: s.mac(0, "guesses", set.User.ID), Burst: guessBurst, Interval: guessInterval}
	wait, err := s.cfg.Store.TakeAttempts(context.WithoutCancel(ctx), s.now(), bucket)
	if err != nil {
		return nil, fmt.Errorf("take an attempt at a second factor: %w", err)
	}
	if wait > 0 {
		return nil, &users.ThrottledError{RetryAfter: wait}
	}
	err = s.useCode(ctx, set, code)
	switch {
	case err == nil || !errors.Is(err, ErrWrong):
		_ = storage.GiveBack(ctx, s.cfg.Store, s.now(), bucket) // if that fails, one attempt is lost
	default:
		e := s.event(ctx, "second_factor_failed", "user", set.User.ID)
		e.Outcome = "failure"
		if logged := s.cfg.Audit.Append(ctx, e); logged != nil { // as many as the limit of guesses permits
			err = logged
		}
	}
	if err != nil {
		return nil, err
	}
	return CodeMethods(), nil
}

// CodeMethods returns the methods of a proof with a code (RFC 8176 §2).
func CodeMethods() []string { return []string{methodOTP, methodMFA} }

func (s *Service) useCode(ctx context.Context, set *Set, code string) error {
	code = normalCode(code)
	if len(code) == digits {
		for _, f := range set.TOTP {
			secret, err := s.sealer.Open(f.Data, sealedFor(f.UserID))
			if err != nil {
				continue // sealed with a root secret that is gone
			}
			if step, ok := s.step(secret, code); ok && step > f.Counter {
				return s.use(ctx, storage.FactorUse{ID: f.ID, UserID: f.UserID, Counter: step}, nil)
			}
		}
		return ErrWrong
	}
	if len(code) != recoveryLength {
		return ErrWrong
	}
	f := s.withMAC(set.Recovery, "recovery", set.User.ID, code)
	if f == nil {
		return ErrWrong
	}
	return s.use(ctx, storage.FactorUse{ID: f.ID, UserID: f.UserID, Spend: true}, s.event(ctx, "recovery_code_used", "user", f.UserID))
}

// use uses a factor, unless another request has.
func (s *Service) use(ctx context.Context, u storage.FactorUse, e *storage.AuditEvent) error {
	u.Now = s.now()
	err := s.cfg.Store.UseFactor(ctx, u, e)
	switch {
	case errors.Is(err, storage.ErrConflict):
		return ErrWrong
	case err != nil:
		return fmt.Errorf("use factor: %w", err)
	}
	s.cfg.Audit.Written(e)
	return nil
}

// The codes of RFC 6238 as all applications know them: SHA-1, six digits, 30 seconds.
const (
	digits = 6
	period = 30
	// skew is how many steps a clock may be off in each direction (§5.2, §6).
	skew = 1
)

// step returns the time step whose code this is.
func (s *Service) step(secret []byte, code string) (int64, bool) {
	now := s.now().Unix() / period
	for _, step := range [...]int64{now, now - skew, now + skew} {
		ok, err := hotp.ValidateCustom(code, uint64(step), encoded(secret), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && ok {
			return step, true
		}
	}
	return 0, false
}

func encoded(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

func sealedFor(userID int64) string { return "totp " + strconv.FormatInt(userID, 10) }

// Recovery codes are 50 random bits in Crockford's alphabet, which has no letters that look like digits.
const (
	recoveryCodes  = 10
	recoveryLength = 10
	crockford      = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// drawCodes draws the recovery codes of a user: as they are shown, and as they are stored.
func (s *Service) drawCodes(u *storage.User) (shown []string, stored []*storage.Factor) {
	for range recoveryCodes {
		var b [recoveryLength]byte
		rand.Read(b[:])
		for i := range b {
			b[i] = crockford[b[i]%32]
		}
		code := string(b[:])
		f := s.newFactor(u, storage.FactorRecovery, "")
		f.Lookup = s.mac(0, "recovery", u.ID, code)
		shown, stored = append(shown, code[:5]+"-"+code[5:]), append(stored, f)
	}
	return shown, stored
}

// NewCodes replaces the recovery codes of a user who has a second factor.
func (s *Service) NewCodes(ctx context.Context, set *Set) ([]string, error) {
	if !set.Any() {
		return nil, ErrExpired
	}
	shown, stored := s.drawCodes(set.User)
	e := s.event(ctx, "recovery_codes_created", "user", set.User.ID)
	err := s.create(ctx, storage.NewFactors{
		UserID: set.User.ID, Factors: stored, Replaces: storage.FactorRecovery, Limit: recoveryCodes, Messages: alert.Of(ctx, s.cfg.Alerts, e),
	}, e)
	return shown, err
}

// normalCode returns a code without what people type between its parts, and with the digits for which they type letters.
func normalCode(code string) string {
	const maxLength = 100
	if len(code) > maxLength {
		return ""
	}
	return strings.NewReplacer(" ", "", "-", "", "\u00a0", "", "\u2013", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(code))
}

// withMAC returns the factor that has the MAC of a text under one of the keys; nil if there is none.
func (s *Service) withMAC(list []*storage.Factor, kind string, userID int64, text string) *storage.Factor {
	for key := range s.keys {
		lookup := s.mac(key, kind, userID, text)
		for _, f := range list {
			if f.Lookup == lookup {
				return f
			}
		}
	}
	return nil
}

// mac returns a MAC under one of the keys.
func (s *Service) mac(key int, kind string, userID int64, parts ...string) storage.Digest {
	return mac.SumFramed(s.keys[key], append([]string{kind, strconv.FormatInt(userID, 10)}, parts...)...)
}
