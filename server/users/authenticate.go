package users

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"latchkey/server/internal/audit"
	"latchkey/server/internal/request"
	"latchkey/server/password"
	"latchkey/server/users/input"
	"latchkey/storage"
)

// Authenticated is a user whose password was right.
type Authenticated struct {
	User *storage.User
	// Login is what must be written now, together with the grant that the login leads to. Its SetLastLogin may be cleared.
	Login *storage.Login
	// SecondFactor is true if the user has a second factor. The caller decides whether the login needs it.
	SecondFactor bool
	// Methods are those of the login (RFC 8176), which the caller sets if it was more than a password. AuthTime, unless zero, is when it was.
	Methods  []string
	AuthTime time.Time
}

// Authenticate checks a password. The name is normalised as Django's login form does, then compared byte for byte.
//
// Errors: ErrCredentials; *ThrottledError; ErrOverload; storage.ErrUnavailable; ctx's. A wrong password is audited here,
// within bounds; for a right one nothing is written: the caller does that.
func (s *Service) Authenticate(ctx context.Context, username string, secret storage.Secret) (*Authenticated, error) {
	return s.authenticate(ctx, who{name: input.Username(username), names: s.cfg.Names}, secret)
}

// AuthenticateExact is Authenticate with a name that is compared as it is.
func (s *Service) AuthenticateExact(ctx context.Context, username string, secret storage.Secret) (*Authenticated, error) {
	return s.authenticate(ctx, who{name: username, names: s.cfg.Names}, secret)
}

// AuthenticateUser is Authenticate for a user who is known already, whichever names a login may give.
func (s *Service) AuthenticateUser(ctx context.Context, u *storage.User, secret storage.Secret) (*Authenticated, error) {
	return s.authenticate(ctx, who{name: u.Username, signedIn: true}, secret)
}

// who is the user that a login names.
type who struct {
	name  string
	names storage.LoginNames
	// signedIn is true for a user who is signed in and confirms it.
	signedIn bool
}

func (s *Service) authenticate(ctx context.Context, who who, secret storage.Secret) (*Authenticated, error) {
	started := time.Now()
	attempt := s.attempt(ctx, who.name, who.names)
	username := s.counted(who.name)
	// A client that leaves must not leave it open whether the attempt was taken. The store bounds the time.
	check, err := s.cfg.Store.BeginLogin(context.WithoutCancel(ctx), attempt)
	if err != nil {
		return nil, fmt.Errorf("begin login: %w", err)
	}
	if check.RetryAfter > 0 {
		return nil, s.throttled(ctx, username, check)
	}
	pool := s.cfg.Hasher.For(caller(ctx, check.KnownNetwork || who.signedIn))
	verdict, rehash, err := s.verify(ctx, pool, username, secret, check.User)
	if err != nil {
		return nil, s.unchecked(ctx, attempt, check, err)
	}
	if verdict != rightPassword {
		return nil, s.failed(ctx, check.User, verdict, started)
	}
	if check.Unentered {
		if err := s.enter(ctx, pool, check, secret); err != nil {
			return nil, s.unchecked(ctx, attempt, check, err)
		}
	}
	s.count("success")
	return &Authenticated{User: check.User, Login: s.login(ctx, attempt, check, secret, rehash), SecondFactor: check.SecondFactor}, nil
}

// unchecked returns an attempt whose password was not looked at to its buckets, and returns the reason: a limit for a network that
// contributes to the overload, ErrOverload for others.
func (s *Service) unchecked(ctx context.Context, attempt storage.LoginAttempt, check *storage.LoginCheck, err error) error {
	s.giveBack(ctx, taken(attempt, check.KnownNetwork))
	var throttled *ThrottledError
	switch err = throttledBy(err); {
	case errors.As(err, &throttled):
		s.count("throttled")
		request.From(ctx).Event.Add(slog.String("login", "crowded"))
	case errors.Is(err, ErrOverload):
		s.count("overload")
	}
	return fmt.Errorf("check password: %w", err)
}

// enter lets a user in whose account is in another database, if nothing is kept here yet or another password hash. If the password fits that too, somebody
// has only hashed it anew, and the user's sessions go on.
func (s *Service) enter(ctx context.Context, pool *password.Hasher, check *storage.LoginCheck, secret storage.Secret) (err error) {
	same := false
	if _, usable := password.CostOf(check.Remembered); usable {
		if same, _, err = pool.Verify(ctx, secret, check.Remembered); err != nil {
			return err
		}
	}
	return s.cfg.Directory.Enter(ctx, check.User, same)
}

// The verdicts on a password; all but the first are reasons for operators.
const (
	rightPassword = ""
	unknownUser   = "unknown_user"
	noPassword    = "no_password"
	wrongPassword = "wrong_password"
	inactiveUser  = "inactive_user"
)

// verify computes exactly one hash, whatever the verdict.
func (s *Service) verify(ctx context.Context, pool *password.Hasher, username string, secret storage.Secret, u *storage.User) (verdict string, rehash bool, err error) {
	decoy := s.decoys.pick(s.mac("decoy", username))
	if u == nil {
		return unknownUser, false, pool.Burn(ctx, secret, decoy)
	}
	cost, usable := password.CostOf(u.PasswordHash)
	if !usable {
		return noPassword, false, pool.Burn(ctx, secret, decoy)
	}
	s.decoys.met(cost)
	ok, rehash, err := pool.Verify(ctx, secret, u.PasswordHash)
	switch {
	case err != nil:
		return "", false, err
	case !ok:
		return wrongPassword, false, nil
	case !u.Active:
		return inactiveUser, false, nil
	}
	return rightPassword, rehash, nil
}

func (s *Service) login(ctx context.Context, a storage.LoginAttempt, check *storage.LoginCheck, secret storage.Secret, rehash bool) *storage.Login {
	l := &storage.Login{UserID: check.User.ID, Subject: check.User.Sub(), GiveBack: taken(a, check.KnownNetwork), SetLastLogin: a.Now}
	if !a.Known.IsZero() && (check.KnownNetwork || s.mayKnow(ctx, check.User)) {
		l.Known, l.KnownUntil = a.Known, a.Now.Add(knownFor)
	}
	if rehash && !s.cfg.KeepHashes && s.cfg.Directory == nil { // while another system writes hashes too, neither replaces those of the other
		// Not while others wait for the pool: the next login will do.
		if hash, ok := s.cfg.Hasher.TryHash(secret); ok {
			l.OldHash, l.NewHash = check.User.PasswordHash, hash
		}
	}
	return l
}

// mayKnow reports whether one more network may become known to a user. If the database can't say, the login goes on without: what it
// writes will fail too.
func (s *Service) mayKnow(ctx context.Context, u *storage.User) bool {
	wait, err := s.cfg.Store.TakeAttempts(ctx, s.now(),
		storage.Bucket{Key: s.mac("known networks", strconv.FormatInt(u.ID, 10)), Burst: knownBurst, Interval: knownInterval})
	return err == nil && wait == 0
}

// failed audits the failure and returns ErrCredentials when it is time to. An audit event that can't be written is an
// outage, not a verdict.
func (s *Service) failed(ctx context.Context, u *storage.User, verdict string, started time.Time) error {
	s.count("failure")
	if err := s.auditFailure(ctx, u, "failure", verdict); err != nil {
		return err
	}
	s.decoys.wait(ctx, started)
	return ErrCredentials
}

// throttled reports an attempt that was not looked at: the log and the metrics have each, the audit trail the first one of
// an account in an hour.
func (s *Service) throttled(ctx context.Context, username string, check *storage.LoginCheck) error {
	s.count("throttled")
	refused := &ThrottledError{RetryAfter: check.RetryAfter}
	if !s.noise.first(s.mac("account", username), s.now()) {
		request.From(ctx).Event.Add(slog.String("login", "throttled"))
		return refused
	}
	if err := s.auditFailure(ctx, check.User, "denied", "throttled"); err != nil {
		return err
	}
	return refused
}

// auditFailure writes the event of a login that failed; u is nil for an unknown user.
func (s *Service) auditFailure(ctx context.Context, u *storage.User, outcome, reason string) error {
	request.From(ctx).Event.Add(slog.String("login", reason))
	network, _ := request.From(ctx).WideNetwork()
	suppressed, ok := s.noise.allow(network, s.now())
	if !ok {
		return nil
	}
	e := s.event(ctx, "login_failed", "user", 0)
	e.Outcome, e.Reason = outcome, reason
	if u != nil {
		e.UserID = u.ID
	}
	if suppressed > 0 {
		e.Details = audit.Details(map[string]any{"suppressed_before": suppressed})
	}
	return s.audit.Append(ctx, e)
}

func (s *Service) count(outcome string) {
	if s.cfg.Metrics != nil {
		s.cfg.Metrics.Logins.WithLabelValues(outcome).Inc()
	}
}

// GiveBack returns the attempt of a login whose session could not be written, or that was no login: the password was right. A
// login that was written has returned it.
func (s *Service) GiveBack(ctx context.Context, a *Authenticated) {
	if a != nil && a.Login != nil {
		s.giveBack(ctx, a.Login.GiveBack)
	}
}
