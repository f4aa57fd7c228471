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

// NewRefresh writes the first refresh token of a session: Django's claims in Django's order, then ours.
func (c *Codec) NewRefresh(ctx context.Context, r Refresh) (string, error) {
	cs := make(claims, 0, 12+len(r.Extra))
	cs = append(cs,
		Claim{"token_type", `"refresh"`},
		IntClaim("exp", r.ExpiresAt.Unix()),
		IntClaim("iat", r.IssuedAt.Unix()),
		Claim{"jti", quotedID(r.ID)},
		c.userClaim(r.UserID),
	)
	return c.writeRefresh(ctx, cs, r)
}

// Rotated writes the successor of old: the same payload with another jti, exp and iat. Every other claim stays, in
// its place, unknown ones too; only ours are set anew.
func (c *Codec) Rotated(ctx context.Context, old *Token, r Refresh) (string, error) {
	cs := make(claims, len(old.claims), len(old.claims)+6+len(r.Extra))
	copy(cs, old.claims)
	cs = cs.set(Claim{"jti", quotedID(r.ID)})
	cs = cs.set(IntClaim("exp", r.ExpiresAt.Unix()))
	cs = cs.set(IntClaim("iat", r.IssuedAt.Unix()))
	return c.writeRefresh(ctx, cs, r)
}

// writeRefresh adds to cs what first and later refresh tokens have in common.
func (c *Codec) writeRefresh(ctx context.Context, cs claims, r Refresh) (string, error) {
	cs = cs.insert(c.cfg.UserIDClaim, r.Extra)
	cs = c.address(cs)
	cs = cs.set(Claim{familyClaim, `"` + r.Family.String() + `"`})
	cs = cs.set(IntClaim(generationClaim, r.Generation))
	if r.Generation > 0 {
		cs = cs.set(Claim{parentClaim, quotedID(r.Parent)})
	} else {
		cs = cs.remove(parentClaim)
	}
	if r.Seal != "" {
		cs = cs.set(StringClaim(sealClaim, r.Seal))
	} else {
		cs = cs.remove(sealClaim)
	}
	return c.write(ctx, cs)
}

// Access writes an access token. from is the refresh token that it is made from, whose claims it gets, unknown ones too;
// nil at a login.
//
// The time of issue is not copied, whatever the release: simplejwt before 5.5.1 let it stay that of the login.
func (c *Codec) Access(ctx context.Context, from *Token, a Access) (string, error) {
	n := 1
	if from != nil {
		n = len(from.claims)
	}
	cs := make(claims, 0, 8+n+len(a.Extra))
	cs = append(cs,
		Claim{"token_type", `"access"`},
		IntClaim("exp", a.ExpiresAt.Unix()),
		IntClaim("iat", a.IssuedAt.Unix()),
		Claim{"jti", quotedID(a.JTI)},
	)
	if from == nil {
		cs = append(cs, c.userClaim(a.UserID))
	} else {
		for _, claim := range from.claims {
			switch claim.Name {
			case "token_type", "exp", "iat", "jti", familyClaim, generationClaim, parentClaim, sealClaim:
			default:
				cs = append(cs, claim)
			}
		}
	}
	cs = cs.insert(c.cfg.UserIDClaim, a.Extra)
	cs = c.address(cs)
	cs = cs.set(Claim{sessionClaim, `"` + a.Session.String() + `"`})
	return c.write(ctx, cs)
}

// NewSliding writes the first sliding token of a session.
func (c *Codec) NewSliding(ctx context.Context, s Sliding) (string, error) {
	cs := make(claims, 0, 10+len(s.Extra))
	cs = append(cs,
		Claim{"token_type", `"sliding"`},
		IntClaim("exp", s.ExpiresAt.Unix()),
		IntClaim("iat", s.IssuedAt.Unix()),
		Claim{"jti", quotedID(s.JTI)},
		IntClaim(refreshUntilClaim, s.RefreshUntil.Unix()),
		c.userClaim(s.UserID),
	)
	return c.writeSliding(ctx, cs, s)
}

// Slid writes old anew, with the exp and iat of s: the token stays what it is, with its jti and the time until which it
// can be refreshed.
func (c *Codec) Slid(ctx context.Context, old *Token, s Sliding) (string, error) {
	cs := make(claims, len(old.claims), len(old.claims)+4+len(s.Extra))
	copy(cs, old.claims)
	cs = cs.set(IntClaim("exp", s.ExpiresAt.Unix()))
	cs = cs.set(IntClaim("iat", s.IssuedAt.Unix()))
	return c.writeSliding(ctx, cs, s)
}

func (c *Codec) writeSliding(ctx context.Context, cs claims, s Sliding) (string, error) {
	cs = c.address(cs.insert(c.cfg.UserIDClaim, s.Extra))
	cs = cs.set(Claim{sessionClaim, `"` + s.Session.String() + `"`})
	return c.write(ctx, cs)
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
