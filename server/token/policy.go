package token

import (
	"cmp"
	"time"

	"latchkey/clients"
	"latchkey/storage"
)

// coalesce is how long presentations of one token share a successor (docs/rotation.md).
const coalesce = 10 * time.Second

// policy is what holds for a client: its own settings before those of the deployment.
type policy struct {
	rotation clients.Rotation
	overlap  time.Duration
	onReuse  clients.OnReuse

	accessTTL time.Duration
	// absolute is the life of a grant.
	absolute time.Duration
	// idle ends a grant that nobody refreshes. With perToken it is instead the life of each refresh token,
	// counted anew at each rotation, as simplejwt does.
	idle     time.Duration
	perToken bool

	format clients.AccessTokenFormat
	alg    string
}

// SimpleJWT are the settings of the simplejwt routes that differ from those of other clients.
type SimpleJWT struct {
	Rotation             clients.Rotation
	RotationOverlap      *time.Duration
	OnReuse              clients.OnReuse
	AccessTokenLifetime  time.Duration
	RefreshTokenLifetime time.Duration
	// SlidingTokenLifetime and SlidingTokenRefreshLifetime are for the requests that ask for sliding tokens.
	SlidingTokenLifetime        time.Duration
	SlidingTokenRefreshLifetime time.Duration
	// Claims are added to every token in simplejwt's form, computed anew each time; they are of UserClaims.
	Claims []string
	// Adopt accepts refresh and sliding tokens that Django signed with the shared key.
	Adopt bool
	// Off: the routes are not served, so their built-in client gets no tokens elsewhere either.
	Off bool
}

func (s *Service) policyOf(c *clients.Client) *policy {
	p := &policy{
		rotation: clients.RotationStrict, onReuse: clients.OnReuseRevoke,
		accessTTL: s.lifetimes.AccessToken, absolute: s.lifetimes.RefreshToken, idle: s.lifetimes.RefreshTokenIdle,
		format: clients.FormatJWT, alg: defaultAlg,
	}
	overlap := (*time.Duration)(nil)
	if c.ID == clients.SimpleJWTID {
		p.rotation, p.onReuse, overlap = s.simplejwt.Rotation, s.simplejwt.OnReuse, s.simplejwt.RotationOverlap
		p.accessTTL, p.idle, p.perToken = s.simplejwt.AccessTokenLifetime, s.simplejwt.RefreshTokenLifetime, true
		p.format = clients.FormatSimpleJWT
	}
	set(&p.rotation, c.Rotation)
	set(&p.onReuse, c.OnReuse)
	set(&p.accessTTL, c.AccessTokenTTL.Std())
	set(&p.absolute, c.RefreshTokenTTL.Std())
	set(&p.idle, c.RefreshTokenIdleTTL.Std())
	set(&p.format, c.AccessTokenFormat)
	set(&p.alg, c.AccessTokenSigningAlg)
	if c.RotationOverlap != nil {
		d := c.RotationOverlap.Std()
		overlap = &d
	}
	switch {
	case overlap != nil:
		p.overlap = *overlap
	case p.rotation == clients.RotationConfirmed:
		p.overlap = coalesce
	}
	return p
}

// slidingPolicyOf is the policy for sliding tokens. A session has one such token, which is written anew at each refresh:
// nothing is rotated. The session ends with the last token that can be had of it.
func (s *Service) slidingPolicyOf(c *clients.Client) *policy {
	p := s.policyOf(c)
	p.rotation, p.overlap = clients.RotationOff, 0
	p.accessTTL = cmp.Or(c.AccessTokenTTL.Std(), s.simplejwt.SlidingTokenLifetime)
	p.idle = cmp.Or(c.RefreshTokenIdleTTL.Std(), s.simplejwt.SlidingTokenRefreshLifetime)
	p.absolute = min(p.absolute, p.idle+p.accessTTL)
	return p
}

func set[T comparable](to *T, value T) {
	var zero T
	if value != zero {
		*to = value
	}
}

// refreshExpiry is the end of a refresh token issued at the given time: never past the end of its grant.
func (p *policy) refreshExpiry(g *storage.Grant, issued time.Time) time.Time {
	end := g.ExpiresAt
	if p.perToken {
		if own := issued.Add(p.idle); own.Before(end) {
			end = own
		}
	}
	return end.Truncate(time.Second)
}

// idleSince reports whether the grant has been left alone for too long.
func (p *policy) idleSince(g *storage.Grant, now time.Time) bool {
	return !p.perToken && now.Sub(g.LastUsedAt) > p.idle
}
