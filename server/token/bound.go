package token

import (
	"context"

	"latchkey/server/dpop"
	"latchkey/server/internal/audit"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// This file binds tokens to the keys of clients (RFC 9449). An access token names its key; a refresh token of a public client is bound by
// its session, whose key never changes (§5). A confidential client has proved who it is, and may change its key.

// readProof checks the request's proof, and demands one of a client that is registered for it (RFC 9449 §5.2).
func (x *exchange) readProof() (err error) {
	switch {
	case !x.req.Proof.None():
		x.proof, err = x.proofs.ReadOf(x.client, x.req.Proof)
	case x.client.DPoPBoundAccessTokens:
		return dpop.Invalid("it is missing: the client is registered with dpop_bound_access_tokens, so that its token requests need a DPoP header.")
	}
	return err
}

// useProof uses up the proof of the request.
func (x *exchange) useProof(ctx context.Context) error {
	if err := x.auth.AllowRow(ctx, x.client); err != nil {
		return err
	}
	return x.proofs.Use(ctx, x.client.ID, x.proof)
}

// key returns the key that the access token is bound to; empty if it is a bearer token, as those of another form always are.
func (x *exchange) key() string {
	if x.proof == nil || x.accessFormat() != Format(x.native) {
		return ""
	}
	return x.proof.Key
}

// hasKey reports whether the request proves the possession of a key; empty stands for none that is needed.
func (x *exchange) hasKey(key string) bool { return key == "" || x.proof != nil && x.proof.Key == key }

// otherKey refuses a refresh token without the proof of its key. A thief who has the token alone can't use it, and must not be able to
// end the session with it: it is refused before the token is judged.
func (g *refreshGrant) otherKey(ctx context.Context, live *storage.LiveGrant) error {
	g.audit.Refused(ctx, audit.Refusal{ClientID: live.ClientID, Known: true, Error: "invalid_grant", Reason: string(reasons.OtherKey)})
	return protocol.InvalidGrant(reasons.OtherKey)
}

// errCodeKey is the refusal of a code without the proof of the key that the authorization request named (RFC 9449 §10).
func errCodeKey() *protocol.Error {
	return protocol.Refuse("invalid_grant", reasons.OtherKey,
		"The authorization code is bound to a key (dpop_jkt), of which the request has no DPoP proof.")
}
