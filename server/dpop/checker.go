package dpop

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/jwt"
	"latchkey/server/internal/mac"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// Store keeps which proofs were used.
type Store interface {
	// UseJTI returns storage.ErrExists when the client has used the jti before.
	UseJTI(ctx context.Context, clientID string, jti storage.Digest, expiresAt time.Time) error
}

// Config is the configuration of a Checker.
type Config struct {
	Store Store
	// NonceKeys make and verify nonces; the first makes them.
	NonceKeys [][]byte
	// RequireNonce demands a nonce in each proof (RFC 9449 §8). Without it one that is there must be good all the same.
	RequireNonce bool
	Now          func() time.Time
}

// Checker checks proofs. It is safe for concurrent use.
type Checker struct{ cfg Config }

// New returns a Checker.
func New(cfg Config) *Checker { return &Checker{cfg} }

// ReadOf is Read for a client, whose profile may allow fewer algorithms.
func (c *Checker) ReadOf(client *clients.Client, p Presented) (*Proof, error) {
	proof, err := c.Read(p)
	if err == nil && !client.AllowsAlg(proof.Alg) {
		return nil, Invalid("the profile of the client does not allow the alg %s.", proof.Alg)
	}
	return proof, err
}

// Use marks a proof as used by a client: of any number of requests with one, on whichever replica, one gets nil (RFC 9449 §11.1). It is
// called last, when nothing else is wrong with a request: only who has the key and a good token makes the server store anything. The
// error is a *protocol.Error or an outage.
func (c *Checker) Use(ctx context.Context, clientID string, p *Proof) error {
	// The key is part of it: another one's jti can't be used up. The NUL keeps it apart from the jti of client assertions.
	switch err := c.cfg.Store.UseJTI(ctx, clientID, sha256.Sum256([]byte("dpop\x00"+p.Key+"\x00"+p.jti)), p.keep); {
	case errors.Is(err, storage.ErrExists):
		e := Invalid("its jti was used before: make a proof for each request.")
		e.Reason = reasons.ProofReplay
		return e
	case err != nil:
		return fmt.Errorf("use a DPoP proof: %w", err)
	}
	return nil
}

// A nonce is base64url of the time in which it was made and a MAC over that. Nothing is stored: the jti makes a proof good for one
// request, the nonce bounds how long before it the proof was made.
const (
	nonceTime = 8
	nonceMAC  = 16
	nonceTTL  = 5 * time.Minute
)

// Nonce returns one for the header DPoP-Nonce.
func (c *Checker) Nonce() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, nonceTime+nonceMAC), uint64(c.cfg.Now().Unix()))
	sum := mac.Sum(c.cfg.NonceKeys[0], b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:nonceMAC]...))
}

func (c *Checker) checkNonce(nonce string, now time.Time) error {
	if nonce == "" && !c.cfg.RequireNonce || c.goodNonce(nonce, now) {
		return nil
	}
	// RFC 9449 §8: the answer has a new one.
	return protocol.Refuse("use_dpop_nonce", reasons.Proof, "The DPoP proof must have the nonce of the header DPoP-Nonce.")
}

func (c *Checker) goodNonce(nonce string, now time.Time) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceTime+nonceMAC {
		return false
	}
	made := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	if made.Before(now.Add(-nonceTTL)) || made.After(now.Add(keepExtra)) {
		return false
	}
	for _, key := range c.cfg.NonceKeys {
		sum := mac.Sum(key, b[:nonceTime])
		if hmac.Equal(sum[:nonceMAC], b[nonceTime:]) {
			return true
		}
	}
	return false
}

// Read checks a proof as RFC 9449 §4.3 says, except ath and whether it was used before. The error is a *protocol.Error.
func (c *Checker) Read(p Presented) (*Proof, error) {
	switch {
	case len(p.Headers) != 1:
		return nil, Invalid("there is more than one DPoP header.")
	case len(p.Headers[0]) > maxProof:
		return nil, Invalid("it is longer than %d bytes.", maxProof)
	}
	f := jwt.ReadIncoming(p.Headers[0])
	if f == nil {
		return nil, Invalid("it is not a JWT in the compact form, with a header and a payload that are JSON objects without repeated members.")
	}
	key, err := readKey(f)
	if err != nil {
		return nil, err
	}
	if !f.SignedWith(*key) {
		return nil, Invalid("the signature is not of the key in the header jwk, or the key does not fit alg.")
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, Invalid("the key in the header jwk can't be used.")
	}
	proof := &Proof{Key: base64.RawURLEncoding.EncodeToString(sum), Alg: f.Alg}
	if err := c.readClaims(proof, f.Claims, p); err != nil {
		return nil, err
	}
	return proof, nil
}

func (c *Checker) readClaims(proof *Proof, claims jwt.Object, p Presented) error {
	var method, target, nonce string
	if !claims.Strings(map[string]*string{"jti": &proof.jti, "htm": &method, "htu": &target, "ath": &proof.ath, "nonce": &nonce}) {
		return Invalid("jti, htm, htu, ath and nonce must be strings.")
	}
	var issued, begins, ends time.Time
	if name := claims.Dates(map[string]*time.Time{"iat": &issued, "nbf": &begins, "exp": &ends}); name != "" {
		return Invalid("%s must be a number of seconds.", name)
	}
	if issued.IsZero() {
		return Invalid("iat must be a number of seconds.")
	}
	now := c.cfg.Now().UTC()
	switch {
	case proof.jti == "" || len(proof.jti) > maxJTI:
		return Invalid("jti is required and must have at most %d bytes.", maxJTI)
	case method != p.Method:
		return Invalid("htm must be %s.", p.Method)
	case !sameTarget(target, p.URL):
		return Invalid("htu must be %s.", p.URL)
	case issued.Before(now.Add(-maxAge)) || issued.After(now.Add(maxAhead)):
		return Invalid("iat must be the present time; the server's clock says %d, %s.", now.Unix(), now.Format(time.RFC3339))
	case !ends.IsZero() && !ends.After(now.Add(-maxAhead)): // RFC 7519 §4.1.4
		return Invalid("it has expired; the server's clock says %d, %s.", now.Unix(), now.Format(time.RFC3339))
	case begins.After(now.Add(maxAhead)): // RFC 7519 §4.1.5
		return Invalid("nbf is in the future; the server's clock says %d, %s.", now.Unix(), now.Format(time.RFC3339))
	}
	proof.keep = issued.Add(maxAge + keepExtra)
	return c.checkNonce(nonce, now)
}
