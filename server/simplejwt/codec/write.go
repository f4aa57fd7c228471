package codec

import (
	"context"
	"encoding/hex"
	"time"

	"latchkey/storage"
)

// Refresh is what a new refresh token says.
type Refresh struct {
	UserID string // the user's sub
	ID     storage.TokenID
	// Parent is the token that was presented to get this one; it is written from generation 1 on.
	Parent     storage.TokenID
	Family     storage.ID
	Generation int64
	IssuedAt   time.Time
	ExpiresAt  time.Time
	// Seal is written as it is.
	Seal string
	// Extra are custom claims. Those that the token has already are replaced in their place, the others follow the user.
	Extra []Claim
}

// Sliding is what a new sliding token says.
type Sliding struct {
	UserID    string
	JTI       storage.TokenID
	Session   storage.ID
	IssuedAt  time.Time
	ExpiresAt time.Time
	// RefreshUntil is when the token can't be refreshed any more.
	RefreshUntil time.Time
	Extra        []Claim
}

// Access is what a new access token says.
type Access struct {
	UserID    string
	JTI       storage.TokenID
	Session   storage.ID
	IssuedAt  time.Time
	ExpiresAt time.Time
	Extra     []Claim
}

// begin returns the claims that a new token begins with, in Django's order, and room for others. typ is JSON text.
func begin(typ string, expires, issued time.Time, id storage.TokenID, room int) claims {
	return append(make(claims, 0, 4+room),
		Claim{"token_type", typ}, IntClaim("exp", expires.Unix()), IntClaim("iat", issued.Unix()), Claim{"jti", quotedID(id)},
	)
}

// renewed returns the claims of a token with other times, and room for others. Every claim stays in its place, unknown ones too.
func (t *Token) renewed(expires, issued time.Time, room int) claims {
	cs := append(make(claims, 0, len(t.claims)+room), t.claims...)
	return cs.set(IntClaim("exp", expires.Unix())).set(IntClaim("iat", issued.Unix()))
}

// NewRefresh writes the first refresh token of a session: Django's claims, then ours.
func (c *Codec) NewRefresh(ctx context.Context, r Refresh) (string, error) {
	cs := begin(`"refresh"`, r.ExpiresAt, r.IssuedAt, r.ID, 8+len(r.Extra))
	return c.writeRefresh(ctx, append(cs, c.userClaim(r.UserID)), r)
}

// Rotated writes the successor of old: the same payload with another jti, exp and iat. Of the other claims only ours are set anew.
func (c *Codec) Rotated(ctx context.Context, old *Token, r Refresh) (string, error) {
	cs := old.renewed(r.ExpiresAt, r.IssuedAt, 6+len(r.Extra))
	return c.writeRefresh(ctx, cs.set(Claim{"jti", quotedID(r.ID)}), r)
}

// writeRefresh adds to cs what first and later refresh tokens have in common.
func (c *Codec) writeRefresh(ctx context.Context, cs claims, r Refresh) (string, error) {
	parent, seal := NoClaim(parentClaim), NoClaim(sealClaim)
	if r.Generation > 0 {
		parent.Value = quotedID(r.Parent)
	}
	if r.Seal != "" {
		seal = StringClaim(sealClaim, r.Seal)
	}
	cs = c.address(cs.insert(c.cfg.UserIDClaim, r.Extra))
	cs = cs.set(Claim{familyClaim, `"` + r.Family.String() + `"`}).set(IntClaim(generationClaim, r.Generation))
	return c.write(ctx, cs.set(parent).set(seal))
}

// Access writes an access token. from is the refresh token that it is made from, whose claims it gets, unknown ones too;
// nil at a login.
//
// The time of issue is not copied, whatever the release: simplejwt before 5.5.1 let it stay that of the login.
func (c *Codec) Access(ctx context.Context, from *Token, a Access) (string, error) {
	var rest claims
	if from != nil {
		rest = from.claims
	}
	cs := begin(`"access"`, a.ExpiresAt, a.IssuedAt, a.JTI, 4+max(1, len(rest))+len(a.Extra))
	if from == nil {
		cs = append(cs, c.userClaim(a.UserID))
	}
	for _, claim := range rest {
		switch claim.Name {
		case "token_type", "exp", "iat", "jti", familyClaim, generationClaim, parentClaim, sealClaim:
		default:
			cs = append(cs, claim)
		}
	}
	return c.writeInSession(ctx, cs, a.Extra, a.Session)
}

// NewSliding writes the first sliding token of a session.
func (c *Codec) NewSliding(ctx context.Context, s Sliding) (string, error) {
	cs := begin(`"sliding"`, s.ExpiresAt, s.IssuedAt, s.JTI, 6+len(s.Extra))
	cs = append(cs, IntClaim(refreshUntilClaim, s.RefreshUntil.Unix()), c.userClaim(s.UserID))
	return c.writeInSession(ctx, cs, s.Extra, s.Session)
}

// Slid writes old anew, with the exp and iat of s: the token stays what it is, with its jti and the time until which it
// can be refreshed.
func (c *Codec) Slid(ctx context.Context, old *Token, s Sliding) (string, error) {
	return c.writeInSession(ctx, old.renewed(s.ExpiresAt, s.IssuedAt, 4+len(s.Extra)), s.Extra, s.Session)
}

// writeInSession adds to cs what all tokens but refresh tokens have in common.
func (c *Codec) writeInSession(ctx context.Context, cs claims, extra []Claim, session storage.ID) (string, error) {
	cs = c.address(cs.insert(c.cfg.UserIDClaim, extra))
	return c.write(ctx, cs.set(Claim{sessionClaim, `"` + session.String() + `"`}))
}

// address sets the audience and the issuer. simplejwt sets them last.
func (c *Codec) address(cs claims) claims {
	if c.audience.Name != "" {
		cs = cs.set(c.audience)
	}
	if c.cfg.Issuer != "" {
		cs = cs.set(StringClaim("iss", c.cfg.Issuer))
	}
	return cs
}

func (c *Codec) write(ctx context.Context, cs claims) (string, error) {
	b := c.buffers.Get().(*buffer)
	defer c.buffers.Put(b)
	b.payload = cs.appendJSON(b.payload[:0])
	return c.sign(ctx, b)
}

// userClaim is the user's id: text from simplejwt 5.5.1 on; before, an integer is written as a number (and a UUID as text).
func (c *Codec) userClaim(id string) Claim {
	if c.cfg.UserIDInteger {
		return IDClaim(c.cfg.UserIDClaim, id)
	}
	return StringClaim(c.cfg.UserIDClaim, id)
}

func quotedID(id storage.TokenID) string {
	var b [34]byte
	b[0], b[33] = '"', '"'
	hex.Encode(b[1:33], id[:])
	return string(b[:])
}
