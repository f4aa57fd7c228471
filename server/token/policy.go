package token

import (
	"cmp"
	"math/rand/v2"
	"time"

	"latchkey/clients"
	"latchkey/server/keys"
	"latchkey/storage"
)

// coalesce is how long presentations of one token share a successor (docs/rotation.md).
const coalesce = 10 * time.Second

// OverlapByRotation is the Policy.Overlap that follows from the rotation.
const OverlapByRotation time.Duration = -1

// Lifetimes are the defaults of a deployment, for clients that have no setting of their own.
type Lifetimes struct {
	AccessToken      time.Duration
	RefreshToken     time.Duration // absolute end of a grant
	RefreshTokenIdle time.Duration // end of a grant that is not refreshed
}

// Policy is what holds for the tokens of one client: its own settings before those of its format and of the deployment.
type Policy struct {
	Rotation clients.Rotation
	Overlap  time.Duration
	OnReuse  clients.OnReuse

	AccessTTL time.Duration
	// AccessJitter is by how much an access token may live shorter, by chance; never by more than half.
	AccessJitter time.Duration
	// Absolute is the life of a grant.
	Absolute time.Duration
	// Idle ends a grant that is not refreshed. With PerToken it is instead the life of each refresh token, counted anew at each
	// rotation, as simplejwt does.
	Idle     time.Duration
	PerToken bool
	// Leeway is how long after its end a refresh token is still accepted.
	Leeway time.Duration

	AccessFormat clients.AccessTokenFormat
	AccessAlg    string

	// SecondFactor is what the password grant does for users who have a second factor; empty means refuse.
	SecondFactor clients.PasswordGrantSecondFactor

	// SingleToken is set where the access token itself is presented for the next one: there is no refresh token.
	SingleToken bool
	// Closed is set where no tokens are issued any more.
	Closed bool
}

// deploymentPolicy is the policy of clients that have no settings of their own. An empty rotation is confirmed: docs/decisions/0012. A nil overlap
// is that of the rotation.
func deploymentPolicy(l Lifetimes, rotation clients.Rotation, overlap *time.Duration) Policy {
	p := Policy{
		Rotation: cmp.Or(rotation, clients.RotationConfirmed), Overlap: OverlapByRotation, OnReuse: clients.OnReuseRevoke,
		AccessTTL: l.AccessToken, Absolute: l.RefreshToken, Idle: l.RefreshTokenIdle,
		AccessFormat: clients.FormatJWT, AccessAlg: keys.ES256, // small and fast: RS256 costs twenty times the CPU
	}
	if overlap != nil {
		p.Overlap = *overlap
	}
	return p
}

// Of returns the policy of a client: p under the client's own settings.
func (p Policy) Of(c *clients.Client) *Policy {
	set(&p.Rotation, c.Rotation)
	set(&p.OnReuse, c.OnReuse)
	set(&p.AccessTTL, c.AccessTokenTTL.Std())
	set(&p.AccessJitter, c.AccessTokenTTLJitter.Std())
	set(&p.Absolute, c.RefreshTokenTTL.Std())
	set(&p.Idle, c.RefreshTokenIdleTTL.Std())
	set(&p.AccessFormat, c.AccessTokenFormat)
	set(&p.AccessAlg, c.AccessTokenSigningAlg)
	set(&p.SecondFactor, c.PasswordGrantSecondFactor)
	switch {
	case c.RotationOverlap != nil:
		p.Overlap = c.RotationOverlap.Std()
	case p.Overlap == OverlapByRotation && p.Rotation == clients.RotationConfirmed:
		p.Overlap = coalesce
	case p.Overlap == OverlapByRotation:
		p.Overlap = 0
	}
	return &p
}

func set[T comparable](to *T, value T) {
	var zero T
	if value != zero {
		*to = value
	}
}

// refreshExpiry returns the end of a refresh token issued at the given time: never past the end of its grant.
func (p *Policy) refreshExpiry(g *storage.Grant, issued time.Time) time.Time {
	end := g.ExpiresAt
	if p.PerToken {
		if own := issued.Add(p.Idle); own.Before(end) {
			end = own
		}
	}
	return end.Truncate(time.Second)
}

// accessExpiry returns the end of an access token issued now: never past the end of its grant, which may be nil.
func (p *Policy) accessExpiry(g *storage.Grant, now time.Time) time.Time {
	end := now.Add(p.AccessTTL)
	if most := min(p.AccessJitter, p.AccessTTL/2); most > 0 {
		end = end.Add(-rand.N(most))
	}
	if g != nil && g.ExpiresAt.Before(end) {
		end = g.ExpiresAt
	}
	return end.Truncate(time.Second)
}

// idle reports whether the grant was not refreshed for too long.
func (p *Policy) idle(g *storage.Grant, now time.Time) bool {
	return !p.PerToken && now.Sub(g.LastUsedAt) > p.Idle
}
