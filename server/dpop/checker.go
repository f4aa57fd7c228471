package dpop

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"latchkey/clients"
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
