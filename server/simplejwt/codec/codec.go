package codec

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"

	"latchkey/server/internal/pyjson"
	"latchkey/storage"
)

// Compat selects whose words and types a client sees where releases of simplejwt differ.
type Compat string

// The releases that differ.
const (
	// Compat52 is simplejwt up to 5.4: invalid and expired tokens get the same words.
	Compat52 Compat = "5.2"
	// Compat55 is simplejwt 5.5.
	Compat55 Compat = "5.5"
)

// Signer is the key that signs now, for an asymmetric algorithm.
type Signer struct {
	KID string
	// Sign returns the bytes of the JWS signature (RFC 7518 §3) of the signing input.
	Sign func(input []byte) ([]byte, error)
}

// Config are simplejwt's settings, as far as they concern tokens.
type Config struct {
	// Algorithm is the only one that is signed with and accepted: HS256, HS384, HS512, RS256, ES256, EdDSA, …
	Algorithm string
	// Key is for HS*; PreviousKeys are retired ones, which still verify.
	Key          storage.Secret
	PreviousKeys []storage.Secret
	// Sign and Verify are for the other algorithms; their tokens name their key in the header (kid).
	// Verify says keys.ErrSignature or keys.ErrUnknownKey of a token that is not good; anything else is an outage.
	Sign   func(ctx context.Context, algorithm string) (Signer, error)
	Verify func(ctx context.Context, kid, algorithm string, input, signature []byte) error

	// Issuer and Audience are written and demanded when they are not empty.
	Issuer string
	// Audience is written as a text if it is one, else as a list; a token must have one of them.
	Audience []string
	// Leeway is how far the clock of a token's signer may be off.
	Leeway time.Duration

	// UserIDClaim is "user_id" when it is empty. UserIDInteger writes it as a number; both kinds are always read.
	UserIDClaim   string
	UserIDInteger bool
	// Compat is Compat52 when it is empty.
	Compat Compat
}

// Codec reads and writes tokens. It is safe for concurrent use.
type Codec struct {
	cfg    Config
	macs   []*macPool // HS*: that of the key that signs first; nil otherwise
	header string     // HS*: the first segment of every token that is written, with its dot
	// audience is the claim of the audience; without a name if there is none.
	audience Claim
	buffers  sync.Pool
}

// New makes a codec. It panics on an HS algorithm without a key, which is a mistake of the program.
func New(cfg Config) *Codec {
	if cfg.UserIDClaim == "" {
		cfg.UserIDClaim = "user_id"
	}
	if cfg.Compat == "" {
		cfg.Compat = Compat52
	}
	c := &Codec{cfg: cfg, audience: audienceClaim(cfg.Audience)}
	c.buffers.New = func() any { return new(buffer) }
	if !strings.HasPrefix(cfg.Algorithm, "HS") {
		return c
	}
	if cfg.Key == "" {
		panic("codec: " + cfg.Algorithm + " without a key")
	}
	for _, key := range append([]storage.Secret{cfg.Key}, cfg.PreviousKeys...) {
		c.macs = append(c.macs, newMACPool(cfg.Algorithm, key))
	}
	c.header = encodeHeader(cfg.Algorithm, "")
	return c
}

func audienceClaim(audience []string) Claim {
	switch len(audience) {
	case 0:
		return Claim{}
	case 1:
		return StringClaim("aud", audience[0])
	}
	list := []byte{'['}
	for i, one := range audience {
		if i > 0 {
			list = append(list, ',')
		}
		list = pyjson.AppendString(list, one)
	}
	return Claim{"aud", string(append(list, ']'))}
}

// encodeHeader returns the first segment with its dot. PyJWT sorts the names.
func encodeHeader(algorithm, kid string) string {
	header := `{"alg":"` + algorithm + `",`
	if kid != "" {
		header += `"kid":"` + kid + `",`
	}
	return base64.RawURLEncoding.EncodeToString([]byte(header+`"typ":"JWT"}`)) + "."
}

// buffer is the working space of one encoding.
type buffer struct {
	payload []byte
	token   []byte
	sum     []byte
}

// sign turns the payload in b into a token.
func (c *Codec) sign(ctx context.Context, b *buffer) (string, error) {
	if c.macs != nil {
		b.token = append(b.token[:0], c.header...)
		b.token = base64.RawURLEncoding.AppendEncode(b.token, b.payload)
		b.sum = c.macs[0].sum(b.sum[:0], b.token)
		return b.finish(b.sum), nil
	}
	signer, err := c.cfg.Sign(ctx, c.cfg.Algorithm)
	if err != nil {
		return "", fmt.Errorf("find the key that signs: %w", err)
	}
	b.token = append(b.token[:0], encodeHeader(c.cfg.Algorithm, signer.KID)...)
	b.token = base64.RawURLEncoding.AppendEncode(b.token, b.payload)
	signature, err := signer.Sign(b.token)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return b.finish(signature), nil
}

func (b *buffer) finish(signature []byte) string {
	b.token = append(b.token, '.')
	b.token = base64.RawURLEncoding.AppendEncode(b.token, signature)
	return string(b.token)
}

// macPool keeps keyed hashes ready: to key one costs as much as to use it.
type macPool struct{ pool sync.Pool }

func newMACPool(algorithm string, key storage.Secret) *macPool {
	newHash := sha256.New
	switch algorithm {
	case "HS384":
		newHash = sha512.New384
	case "HS512":
		newHash = sha512.New
	}
	secret := []byte(key.Reveal())
	p := &macPool{}
	p.pool.New = func() any { return hmac.New(newHash, secret) }
	return p
}

func (p *macPool) sum(dst, input []byte) []byte {
	mac := p.pool.Get().(hash.Hash)
	defer p.pool.Put(mac)
	mac.Reset()
	mac.Write(input)
	return mac.Sum(dst)
}
