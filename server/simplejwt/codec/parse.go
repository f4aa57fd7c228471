package codec

import (
	"context"
	"crypto/hmac"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/server/internal/pyjson"
	"latchkey/server/keys"
)

// Parse reads an encoded token: its form, its signature, and what PyJWT checks in its claims, in PyJWT's order
// (iat, nbf, exp, iss, aud, sub, jti). What it refuses is an *Invalid; any other error is an outage of the keys.
//
// Parse never looks at the token's type, nor whether exp and jti are there: see [Codec.Check].
func (c *Codec) Parse(ctx context.Context, raw string, now time.Time) (*Token, error) {
	// PyJWT splits at the last dot and at the first: what has more dots can only fail later.
	last := strings.LastIndexByte(raw, '.')
	if last < 0 {
		return nil, c.invalid(Malformed)
	}
	first := strings.IndexByte(raw[:last], '.')
	if first < 0 || !utf8.ValidString(raw) {
		return nil, c.invalid(Malformed)
	}
	b := c.buffers.Get().(*buffer)
	defer c.buffers.Put(b)

	header, ok := c.readHeader(b, raw[:first])
	if !ok || !c.rightType(header) {
		return nil, c.invalid(Malformed)
	}
	if b.payload, ok = decodeSegment(b.payload[:0], raw[first+1:last]); !ok {
		return nil, c.invalid(Malformed)
	}
	if b.sum, ok = decodeSegment(b.sum[:0], raw[last+1:]); !ok {
		return nil, c.invalid(Malformed)
	}
	if err := c.verify(ctx, b, header, raw[:last]); err != nil {
		return nil, err
	}
	cs, ok := parseClaims(string(b.payload))
	if !ok {
		return nil, c.invalid(BadClaims)
	}
	t := &Token{claims: cs, userClaim: c.cfg.UserIDClaim}
	if err := c.checkClaims(t, now); err != nil {
		return nil, err
	}
	return t, nil
}

// header is what matters of a token's first segment.
type header struct {
	algorithm string
	kid       string
	typ       string
}

// rightType reports whether a token's header may be that of one of simplejwt's. With an asymmetric algorithm the server signs other
// kinds of tokens with the same keys: only the typ that simplejwt writes counts. With an HMAC the site may sign what it likes, but what
// has an explicit type of its own, such as at+jwt, is none of simplejwt's (RFC 8725 §3.11).
func (c *Codec) rightType(h header) bool {
	if c.macs == nil {
		return h.typ == typJWT
	}
	return !strings.HasSuffix(strings.ToLower(h.typ), "+jwt")
}

const typJWT = "JWT"

// readHeader reads the first segment. The one that simplejwt writes itself is known by sight.
func (c *Codec) readHeader(b *buffer, segment string) (header, bool) {
	if c.header != "" && len(segment) == len(c.header)-1 && c.header[:len(segment)] == segment {
		return header{algorithm: c.cfg.Algorithm, typ: typJWT}, true
	}
	text, ok := decodeSegment(b.token[:0], segment)
	if b.token = text; !ok || !wellEncoded(string(text)) {
		return header{}, false
	}
	dict, ok := pyjson.DecodeDict(strings.TrimPrefix(string(text), "\ufeff"), pyjson.Options{Unique: true})
	if !ok {
		return header{}, false
	}
	return judgeHeader(dict)
}

// judgeHeader refuses what must not decide how a token is verified.
func judgeHeader(dict *pyjson.Dict) (header, bool) {
	var h header
	for _, m := range dict.Members() {
		text, isText := m.Value.(string)
		switch m.Key {
		case "alg":
			h.algorithm = text // a value that is not text matches no supported algorithm
		case "kid":
			if !isText {
				return header{}, false
			}
			h.kid = text
		case "typ":
			h.typ = text
		case "crit": // RFC 7515 §4.1.11: nothing critical is understood here
			return header{}, false
		case "b64": // RFC 7797 §3
			if m.Value == false {
				return header{}, false
			}
		case "jwk", "jku", "x5u", "x5c": // a key is never taken from the token (RFC 8725 §3.10)
			return header{}, false
		}
	}
	return h, true
}

// verify checks the signature in b.sum of the signing input.
func (c *Codec) verify(ctx context.Context, b *buffer, h header, input string) error {
	// RFC 8725 §3.1: the algorithm is ours to choose, never the token's.
	if h.algorithm != c.cfg.Algorithm {
		return c.invalid(BadSignature)
	}
	b.token = append(b.token[:0], input...)
	if c.macs == nil {
		err := c.cfg.Verify(ctx, h.kid, h.algorithm, b.token, b.sum)
		if errors.Is(err, keys.ErrSignature) || errors.Is(err, keys.ErrUnknownKey) {
			return c.invalid(BadSignature)
		}
		return err
	}
	given := len(b.sum)
	for _, mac := range c.macs {
		b.sum = mac.sum(b.sum[:given], b.token)
		if hmac.Equal(b.sum[:given], b.sum[given:]) {
			return nil
		}
	}
	return c.invalid(BadSignature)
}

// ownLeeway is how far the clocks of two replicas may differ. A session's state decides about its tokens, so a second between
// replicas must not.
const ownLeeway = time.Minute

// ours reports whether a token names one of our sessions, as none that Django made does.
func (t *Token) ours() bool {
	if _, ok := t.Family(); ok {
		return true
	}
	_, ok := t.Session()
	return ok
}

// checkClaims is PyJWT's validation of claims, followed by simplejwt's reading of exp, which crashes on what is no number.
func (c *Codec) checkClaims(t *Token, now time.Time) error {
	seconds := now.Unix()
	leeway := c.cfg.Leeway.Seconds()
	begins := leeway
	if t.ours() {
		begins = max(leeway, ownLeeway.Seconds())
	}
	if v, ok := t.claims.get("iat"); ok {
		iat, ok := integer(v)
		if !ok || iat.after(seconds, begins) {
			return c.invalid(BadClaims)
		}
		t.issuedAt = iat.time()
	}
	if v, ok := t.claims.get("nbf"); ok {
		nbf, ok := integer(v)
		if !ok || nbf.after(seconds, begins) {
			return c.invalid(BadClaims)
		}
	}
	if v, ok := t.claims.get("exp"); ok {
		exp, ok := number(v)
		if !ok {
			return c.invalid(BadClaims)
		}
		if !exp.whole().after(seconds, -leeway) { // equal is expired
			return c.invalid(Expired)
		}
		if exp.after(lastTime, 0) {
			return c.invalid(BadClaims)
		}
		t.expires, t.hasExpires = exp.time(), true
	}
	if !c.rightIssuer(t) || !c.rightAudience(t) {
		return c.invalid(BadClaims)
	}
	if v, ok := t.claims.get("sub"); ok && v[0] != '"' {
		return c.invalid(BadClaims)
	}
	v, ok := t.claims.get("jti")
	if ok && v[0] != '"' {
		return c.invalid(BadClaims)
	}
	t.jti, t.hasJTI = text(v), ok
	return nil
}

// rightIssuer demands the issuer when one is configured, and looks at none otherwise.
func (c *Codec) rightIssuer(t *Token) bool {
	if c.cfg.Issuer == "" {
		return true
	}
	v, ok := t.claims.get("iss")
	return ok && isText(v, c.cfg.Issuer)
}

// rightAudience likewise; several audiences must all be text, and one of them ours.
func (c *Codec) rightAudience(t *Token) bool {
	if len(c.cfg.Audience) == 0 {
		return true
	}
	v, ok := t.claims.get("aud")
	if !ok {
		return false
	}
	decoded, _ := pyjson.Decode(v, pyjson.Options{})
	if one, ok := decoded.(string); ok {
		return slices.Contains(c.cfg.Audience, one)
	}
	list, _ := decoded.(pyjson.List)
	found := false
	for _, item := range list {
		one, ok := item.(string)
		if !ok {
			return false
		}
		found = found || slices.Contains(c.cfg.Audience, one)
	}
	return found
}

// ownTypes are the types that simplejwt has itself. With an HMAC a site may have others.
var ownTypes = map[string]bool{"refresh": true, "access": true, "sliding": true}

// Check judges what Parse has left, in simplejwt's order: exp and jti are there, and the type is the wanted one:
// "refresh", "access", "sliding", or "" for any. The error is an *Invalid.
//
// simplejwt looks at its blacklist between the two.
func (c *Codec) Check(t *Token, want string) error {
	switch {
	case !t.hasExpires:
		return &Invalid{Message: "Token has no 'exp' claim", Kind: BadClaims}
	case !t.hasJTI:
		return &Invalid{Message: "Token has no id", Kind: BadClaims}
	case want == "" && (c.macs != nil || ownTypes[t.Type()]):
		return nil
	}
	v, ok := t.claims.get("token_type")
	switch {
	case !ok:
		return &Invalid{Message: "Token has no type", Kind: WrongType}
	case !isText(v, want):
		return &Invalid{Message: "Token has wrong type", Kind: WrongType}
	}
	return nil
}

// CheckRefreshable judges whether a sliding token can still be refreshed. The error is an *Invalid.
func (c *Codec) CheckRefreshable(t *Token, now time.Time) error {
	until, ok := t.RefreshUntil()
	switch {
	case !ok:
		return &Invalid{Message: "Token has no '" + refreshUntilClaim + "' claim", Kind: BadClaims}
	case until.IsZero(): // simplejwt crashes
		return c.invalid(BadClaims)
	case !until.After(now.Add(-c.cfg.Leeway)):
		return &Invalid{Message: "Token '" + refreshUntilClaim + "' claim has expired", Kind: Expired}
	}
	return nil
}
