package dpop

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"latchkey/server/internal/jwt"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// Bounds of a proof.
const (
	maxProof = 8 << 10 // bytes
	maxJTI   = 255     // bytes
	// maxAge and maxAhead are how far iat may be from the server's clock: FAPI 2.0 Security Profile §5.3.2.1 accepts clocks that are
	// 10 seconds ahead, and none that is more than 60. A proof need not have exp or nbf; where it has, maxAhead is the leeway for both.
	maxAge   = 2 * time.Minute
	maxAhead = time.Minute
	// keepExtra is how far the clocks of replicas may be apart.
	keepExtra = time.Minute
)

// Algs returns the algorithms that proofs may be signed with (RFC 9449 §5.1).
func Algs() []string { return jwt.IncomingAlgs() }

// Presented is what a request presents as proof.
type Presented struct {
	// Headers are the values of the DPoP header.
	Headers []string
	// Method is that of the request. URL is the endpoint as clients know it, whatever a proxy makes of it.
	Method, URL string
}

// None reports whether the request has no proof.
func (p Presented) None() bool { return len(p.Headers) == 0 }

// Proof is a proof that was checked. It may have been used before: see [Checker.Use].
type Proof struct {
	// Key is the JWK thumbprint (RFC 7638) of the key, the jkt of RFC 9449 §6.1.
	Key string
	// Alg is what it was signed with.
	Alg string

	jti, ath string
	keep     time.Time
}

// Invalid returns an Error with the code invalid_dpop_proof (RFC 9449 §5).
func Invalid(format string, args ...any) *protocol.Error {
	return protocol.Refuse("invalid_dpop_proof", reasons.Proof, "The DPoP proof is refused: "+format, args...)
}

// readKey returns the key of the header, which has nothing else to say.
func readKey(f *jwt.Incoming) (*jose.JSONWebKey, error) {
	for _, name := range [...]string{"crit", "b64", "jku", "x5u", "x5c"} {
		if _, ok := f.Header[name]; ok {
			return nil, Invalid("the header %s is not supported.", name)
		}
	}
	if !strings.EqualFold(f.Typ(), "dpop+jwt") { // RFC 8725 §3.11
		return nil, Invalid("typ must be dpop+jwt.")
	}
	if !slices.Contains(Algs(), f.Alg) {
		return nil, Invalid("alg must be one of %s.", strings.Join(Algs(), ", "))
	}
	members := jwt.ParseObject(f.Header["jwk"])
	if members == nil {
		return nil, Invalid("the header jwk must be the public key, an object without repeated members.")
	}
	// RFC 7518 §6.2.2, §6.3.2, §6.4.1. A private key that was sent proves nothing any more.
	for _, private := range [...]string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, ok := members[private]; ok {
			return nil, Invalid("jwk must be the public key alone, without the member %s.", private)
		}
	}
	key := new(jose.JSONWebKey)
	if key.UnmarshalJSON(f.Header["jwk"]) != nil || !key.Valid() || !key.IsPublic() {
		return nil, Invalid("the key in the header jwk can't be used.")
	}
	return key, nil
}

// sameTarget compares an htu with the URL of an endpoint, after the normalisation of RFC 3986 §6.2.2 and §6.2.3 and without query and
// fragment (RFC 9449 §4.3).
func sameTarget(htu, endpoint string) bool {
	a, errA := url.Parse(htu)
	b, errB := url.Parse(endpoint)
	if errA != nil || errB != nil || a.User != nil || a.Opaque != "" || strings.Contains(strings.ToLower(a.EscapedPath()), "%2f") {
		return false
	}
	return strings.EqualFold(a.Scheme, b.Scheme) && host(a) == host(b) && plainPath(a) == plainPath(b)
}

// host returns the host without the port that its scheme has anyway.
func host(u *url.URL) string {
	port := u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return strings.ToLower(u.Hostname())
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}

// plainPath returns the path without dot segments. A slash at the end counts.
func plainPath(u *url.URL) string {
	if strings.HasSuffix(u.Path, "/") {
		return path.Clean("/"+u.Path) + "/"
	}
	return path.Clean("/" + u.Path)
}

// Proves refuses a proof that was made for another access token. The error is a *protocol.Error.
func (p *Proof) Proves(access storage.Secret) error {
	sum := sha256.Sum256([]byte(access.Reveal()))
	if p.ath != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return Invalid("ath must be the base64url of the access token's SHA-256.")
	}
	return nil
}

// ValidKey reports whether text can be a JWK thumbprint, as the parameter dpop_jkt has it (RFC 9449 §10).
func ValidKey(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == sha256.Size && len(text) == base64.RawURLEncoding.EncodedLen(sha256.Size)
}
