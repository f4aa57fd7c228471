package codec

// Invalid says that a token is not acceptable, in the words that simplejwt has for it.
type Invalid struct {
	// Message is the text of the response to the client.
	Message string
	// Kind is why, for operators.
	Kind Kind
}

// Kind is why a token is not acceptable.
type Kind string

// The kinds.
const (
	// Malformed: no token, or not one that could be ours.
	Malformed Kind = "malformed"
	// BadSignature: well-formed, but its signature or the algorithm it names is not ours.
	BadSignature Kind = "bad_signature"
	// Expired: authentic, past its end.
	Expired Kind = "expired"
	// BadClaims: authentic, but a claim is missing or not as it must be.
	BadClaims Kind = "bad_claims"
	// WrongType: authentic and valid, but not of the type asked for.
	WrongType Kind = "wrong_type"
)

func (e *Invalid) Error() string { return e.Message + " (" + string(e.Kind) + ")" }

// Words returns the text of this release for a token that PyJWT refuses.
func (c Compat) Words(kind Kind) string {
	switch {
	case c == Compat52:
		return "Token is invalid or expired"
	case kind == Expired:
		return "Token is expired"
	}
	return "Token is invalid"
}

func (c *Codec) invalid(kind Kind) *Invalid {
	return &Invalid{Message: c.cfg.Compat.Words(kind), Kind: kind}
}
