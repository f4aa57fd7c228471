package simplejwt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/mac"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/token"
	"latchkey/storage"
)

// Store is the part of the database that the format needs.
type Store interface {
	UserBySubject(ctx context.Context, subject string) (*storage.User, error)
	Grant(ctx context.Context, id storage.ID) (*storage.LiveGrant, error)
	TokenState(ctx context.Context, jti, clientID string) (*storage.TokenState, error)
	GrantWithProfile(ctx context.Context, id storage.ID) (*storage.LiveGrant, error)
	CreateGrant(ctx context.Context, g *storage.Grant, login *storage.Login, events ...*storage.AuditEvent) error
	RecordIssuedTokens(ctx context.Context, tokens []storage.IssuedToken, r *storage.RetiredTokens) error
}

// Format is that of simplejwt's access and refresh tokens.
type Format struct {
	codec    *codec.Codec
	sealer   sealer
	settings Settings
	store    Store
	audit    *audit.Log
	mapped   []string // the claims of settings.Mapped that tokens of this format have
}

var _ token.Format = (*Format)(nil)

// NewFormat returns a Format. The error names a claim that is not of UserClaims.
func NewFormat(c *codec.Codec, s Settings, store Store, log *audit.Log) (*Format, error) {
	if err := knownClaims(s.Claims); err != nil {
		return nil, err
	}
	f := &Format{codec: c, sealer: sealer{mac.Keys(s.SealKeys)}, settings: s, store: store, audit: log}
	if s.Mapped != nil {
		f.mapped = s.Mapped.In(claims.SimpleJWT)
	}
	return f, nil
}

// Policy applies the settings to the built-in client. Other clients with access tokens of this format have
// Latchkey's refresh tokens.
func (f *Format) Policy(p token.Policy, c *clients.Client) *token.Policy {
	p.Rotation, p.Overlap, p.OnReuse = f.settings.Rotation, token.OverlapByRotation, f.settings.OnReuse
	if f.settings.RotationOverlap != nil {
		p.Overlap = *f.settings.RotationOverlap
	}
	p.AccessTTL, p.Idle, p.PerToken = f.settings.AccessTokenLifetime, f.settings.RefreshTokenLifetime, true
	p.SecondFactor = f.settings.SecondFactor
	p.Leeway, p.AccessFormat, p.Closed = f.settings.Leeway, clients.FormatSimpleJWT, f.settings.Off
	return p.Of(c)
}

// Asks reports whether the tokens of this format have claims of the site's own.
func (f *Format) Asks() bool { return f.settings.Query != nil || f.settings.Hook != nil }

// Ask implements [token.Asking]: the query is asked each time, the hook at a login.
func (f *Format) Ask(ctx context.Context, subject string, login bool) (any, error) {
	hook := f.settings.Hook
	if !login {
		hook = nil
	}
	return askSite(ctx, f.settings.Query, hook, subject)
}

// ReadRefresh returns an authentic, unexpired refresh token.
func (f *Format) ReadRefresh(ctx context.Context, raw storage.Secret, now time.Time) (*token.RefreshToken, error) {
	t, err := f.parse(ctx, raw, "refresh", now)
	if err != nil {
		return nil, err
	}
	return f.refreshToken(t, now)
}

// parse reads an authentic, unexpired token of a type ("" for any). The error is a *protocol.Error that wraps a *codec.Invalid, or an
// outage.
func (f *Format) parse(ctx context.Context, raw storage.Secret, typ string, now time.Time) (*codec.Token, error) {
	t, err := f.codec.Parse(ctx, raw.Reveal(), now)
	if err == nil {
		err = f.codec.Check(t, typ)
	}
	if err == nil {
		return t, nil
	}
	var invalid *codec.Invalid
	if !errors.As(err, &invalid) {
		return nil, fmt.Errorf("read a token: %w", err)
	}
	return nil, refusal(invalid)
}

func refusal(invalid *codec.Invalid) *protocol.Error {
	reason := reasons.Malformed
	switch invalid.Kind {
	case codec.Expired:
		reason = reasons.Expired
	case codec.BadSignature:
		reason = reasons.BadSignature
	case codec.WrongType:
		reason = reasons.WrongType
	}
	e := protocol.InvalidGrant(reason)
	e.Cause = invalid
	return e
}

// session returns the session that a token names; ok is false for a token that Django wrote.
func session(t *codec.Token) (id storage.ID, ok bool) {
	if t.Type() == "refresh" {
		return t.Family()
	}
	return t.Session()
}

// adopting reports whether tokens that Django signs are accepted.
func (f *Format) adopting(now time.Time) bool {
	return f.settings.Adopt && (f.settings.AdoptUntil.IsZero() || now.Before(f.settings.AdoptUntil))
}

// refreshToken returns the common form of a refresh token or a sliding token. One that Django wrote names no session: its grant is the
// one that its user and its jti lead to. One that names a session without having its seal is Django's too, written anew from one of
// Latchkey's, or it is from a release that wrote no seals: both are judged by what the chain knows of them, and never as reuse.
func (f *Format) refreshToken(t *codec.Token, now time.Time) (*token.RefreshToken, error) {
	r := &token.RefreshToken{
		ID: t.ID(), ExpiresAt: t.Expires(), IssuedAt: t.IssuedAt(),
		Client: token.TagOf(clients.SimpleJWTID), Source: t,
		OfUser: func(u *storage.User) bool { return ofUser(t, u) }, Subjects: t.UserIDs(),
	}
	if f.settings.Adopt {
		r.JTI = t.JTI()
	}
	adopting := f.adopting(now)
	if grant, ok := session(t); ok {
		r.Grant, r.Parent = grant, t.Parent()
		r.Generation, _ = t.Generation()
		if t.Type() == "refresh" {
			r.Sealed, r.CurrentKey = f.sealer.check(t, grant)
			r.InFlight, r.Rewritable = !r.Sealed && adopting, adopting
		}
		return r, nil
	}
	if !adopting {
		return nil, protocol.InvalidGrant(reasons.UnknownGrant)
	}
	r.Grant, r.Sealed = adoptedID(t), true
	r.Adopt = func(ctx context.Context, c *clients.Client, p *token.Policy, now time.Time) (*storage.LiveGrant, error) {
		return f.adopt(ctx, r, t, c, p, now)
	}
	return r, nil
}

// source returns the token that was presented in this format; nil at a login.
func source(r *token.RefreshToken) *codec.Token {
	if r == nil {
		return nil
	}
	t, _ := r.Source.(*codec.Token)
	return t
}

// WriteRefresh writes the first refresh token of a session, or the successor of the one presented, whose other claims it keeps.
func (f *Format) WriteRefresh(ctx context.Context, c *token.Content) (storage.Secret, error) {
	r := codec.Refresh{
		UserID: c.User.Sub(), ID: c.Next.ID, Parent: c.Next.Parent, Family: c.Next.Grant, Generation: c.Next.Generation,
		IssuedAt: c.Next.IssuedAt, ExpiresAt: c.Next.ExpiresAt, Extra: append(f.userClaims(c.User), siteOf(c.Site).claims...),
	}
	r.Seal = f.sealer.of(&r)
	if err := f.record(ctx, c); err != nil {
		return "", err
	}
	var raw string
	var err error
	if old := source(c.Presented); old != nil {
		raw, err = f.codec.Rotated(ctx, old, r)
	} else {
		raw, err = f.codec.NewRefresh(ctx, r)
	}
	return storage.Secret(raw), err
}

// WriteAccess writes an access token; for another client than the built-in one it has a client_id.
func (f *Format) WriteAccess(ctx context.Context, c *token.Content) (string, error) {
	a := codec.Access{
		UserID: c.User.Sub(), JTI: token.NewTokenID(), Session: c.Grant.ID, IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt,
		Extra: append(f.userClaims(c.User), siteOf(c.Site).claims...),
	}
	if c.Client.ID != clients.SimpleJWTID {
		a.Extra = append(a.Extra, codec.StringClaim("client_id", c.Client.ID))
	}
	return f.codec.Access(ctx, source(c.Presented), a)
}

// Read returns an authentic, unexpired token of any type.
func (f *Format) Read(ctx context.Context, raw storage.Secret, now time.Time) (*token.Token, error) {
	parsed, err := f.parse(ctx, raw, "", now)
	if err != nil {
		return nil, err
	}
	t := &token.Token{
		ClientID: clients.SimpleJWTID, JTI: parsed.JTI(),
		IssuedAt: parsed.IssuedAt().Unix(), ExpiresAt: parsed.Expires().Unix(),
	}
	_, ours := session(parsed)
	owner := func(ctx context.Context) (*storage.User, error) { return f.owner(ctx, parsed) }
	switch parsed.Type() {
	case "refresh", "sliding":
		if t.Refresh, err = f.refreshToken(parsed, now); err != nil {
			return nil, err
		}
		t.Kind, t.Grant = parsed.Type(), t.Refresh.Grant
		if t.Kind == token.KindSliding && !ours {
			t.Owner = owner
		}
	case "access":
		t.Kind = token.KindAccess
		t.Grant, _ = parsed.Session()
		if id, ok := parsed.Claim("client_id"); ok && json.Unmarshal([]byte(id), &t.ClientID) != nil {
			return nil, protocol.InvalidGrant(reasons.Malformed)
		}
		if t.Grant.IsZero() {
			t.Owner = owner
		}
	default:
		return nil, protocol.InvalidGrant(reasons.WrongType)
	}
	return t, nil
}

// Sliding returns the format of sliding tokens.
func (f *Format) Sliding() token.Format { return slidingFormat{f} }

// slidingFormat is that of sliding tokens, which are access token and refresh token in one: a session has one, with one jti, which
// is written anew at each refresh. Nothing is rotated.
type slidingFormat struct{ *Format }

// Policy ends the session with the last token that can be issued for it.
func (f slidingFormat) Policy(deployment token.Policy, c *clients.Client) *token.Policy {
	p := f.Format.Policy(deployment, c)
	p.Rotation, p.Overlap, p.SingleToken, p.AccessFormat = clients.RotationOff, 0, true, clients.FormatSimpleJWT
	p.AccessTTL = cmp.Or(c.AccessTokenTTL.Std(), f.settings.SlidingTokenLifetime)
	p.Idle = cmp.Or(c.RefreshTokenIdleTTL.Std(), f.settings.SlidingTokenRefreshLifetime)
	p.Absolute = min(p.Absolute, p.Idle+p.AccessTTL)
	return p
}

// ReadRefresh returns an authentic, unexpired sliding token that can still be refreshed.
func (f slidingFormat) ReadRefresh(ctx context.Context, raw storage.Secret, now time.Time) (*token.RefreshToken, error) {
	t, err := f.parse(ctx, raw, "sliding", now)
	if err != nil {
		return nil, err
	}
	var invalid *codec.Invalid
	if err := f.codec.CheckRefreshable(t, now); errors.As(err, &invalid) {
		return nil, refusal(invalid)
	}
	return f.refreshToken(t, now)
}

// WriteAccess writes the session's sliding token.
func (f slidingFormat) WriteAccess(ctx context.Context, c *token.Content) (string, error) {
	if err := f.recordSliding(ctx, c); err != nil {
		return "", err
	}
	s := codec.Sliding{
		UserID: c.User.Sub(), JTI: c.Grant.Current, Session: c.Grant.ID,
		IssuedAt: c.IssuedAt, ExpiresAt: c.ExpiresAt, RefreshUntil: c.RefreshUntil, Extra: append(f.userClaims(c.User), siteOf(c.Site).claims...),
	}
	if old := source(c.Presented); old != nil {
		return f.codec.Slid(ctx, old, s)
	}
	return f.codec.NewSliding(ctx, s)
}

// adoptedID leads from a token that Django wrote to its grant, by its user and its jti: the same token presented again, in parallel or
// later, finds the same one, for as long as the token lives. No key that an operator may change is in it: with another grant a token that
// was ended or retired would begin anew. These IDs sort before all others.
func adoptedID(t *codec.Token) storage.ID {
	subject := append(t.UserIDs(), "")[0]
	return adoptedFrom("adopted session of\x00" + subject + "\x00" + t.JTI())
}

// adoptedByJTI is the ID that earlier releases gave to the grant of a token.
func adoptedByJTI(jti string) storage.ID { return adoptedFrom("adopted session\x00" + jti) }

func adoptedFrom(text string) storage.ID {
	sum := sha256.Sum256([]byte(text))
	return storage.NewIDFrom(time.UnixMilli(0), [10]byte(sum[:10]))
}

// userClaims returns the claims about a user that every token has: those that are named as Django names its fields, then those of the
// operator's map, by name. What the map names and the user has not is taken out of a token that is made from another one: a right that
// was withdrawn must not live on from refresh to refresh.
func (f *Format) userClaims(u *storage.User) []codec.Claim {
	if len(f.settings.Claims)+len(f.mapped) == 0 {
		return nil
	}
	extra := make([]codec.Claim, 0, len(f.settings.Claims)+len(f.mapped)+1)
	for _, name := range f.settings.Claims {
		extra = append(extra, userClaim(name, u))
	}
	if len(f.mapped) == 0 {
		return extra
	}
	values := f.settings.Mapped.All(u, claims.SimpleJWT)
	for _, name := range f.mapped {
		claim, err := codec.JSONClaim(name, values[name])
		if values[name] == nil || err != nil {
			claim = codec.NoClaim(name)
		}
		extra = append(extra, claim)
	}
	return extra
}
