package password

import (
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// The algorithms, by Django's names if it has them.
const (
	argon2id     = "argon2id"
	argon2i      = "argon2i"
	argon2d      = "argon2d"
	argon2Old    = " 0x10" // after the name: version 0x10
	pbkdf2SHA256 = "pbkdf2_sha256"
	pbkdf2SHA1   = "pbkdf2_sha1"
	bcryptPlain  = "bcrypt"
	bcryptSHA256 = "bcrypt_sha256"
	scryptName   = "scrypt"
	md5Name      = "md5"
	sha1Name     = "sha1"
	unsaltedMD5  = "unsalted_md5"
	unsaltedSHA1 = "unsalted_sha1"
	desCrypt     = "crypt"
	unusable     = "unusable"
)

// The limits of the cost of a hash. A stored hash above them never verifies, so that an imported string cannot block the
// server. At each limit a check takes some seconds of one core; common defaults of the last fifteen years are far below.
const (
	maxArgon2Memory  = 1 << 20 // KiB: 1 GiB
	maxArgon2Work    = 1 << 22 // KiB times passes
	maxOldArgon2Work = 1 << 20 // for what x/crypto does not have, which takes several times as long
	maxArgon2Threads = 64
	maxPBKDF2        = 10_000_000
	maxBcrypt        = 16
	maxScryptMemory  = 1 << 30 // bytes, 128·N·r
	maxScryptWork    = 1 << 24 // N·r·p; Django 5.1's default is 655,360
)

// Cost is the algorithm and the parameters of a hash string. Strings of equal Cost take equal time.
type Cost struct {
	Algorithm string
	// N, R and P are, for Argon2, the memory in KiB, the passes and the lanes; for scrypt, its N, r and p.
	// N alone is the number of iterations of PBKDF2 and the cost of bcrypt.
	N, R, P int
}

var errTooExpensive = errors.New("more expensive than the limits of this server allow")

// check returns an error unless the parameters are valid and within the limits.
func (c Cost) check() error {
	if !c.meaningful() {
		return fmt.Errorf("%s does not have these parameters", c.Algorithm)
	}
	if !c.allowed() {
		return fmt.Errorf("%s: %w", c.Algorithm, errTooExpensive)
	}
	return nil
}

func (c Cost) meaningful() bool {
	if c.isArgon2() { // RFC 9106 §3.1: at least 8 KiB per lane.
		return c.R >= 1 && c.P >= 1 && c.P <= c.N/8
	}
	switch c.Algorithm {
	case pbkdf2SHA256, pbkdf2SHA1:
		return c.N >= 1
	case bcryptPlain, bcryptSHA256:
		return c.N >= bcrypt.MinCost && c.N <= bcrypt.MaxCost
	case scryptName: // RFC 7914 §2: N is a power of two above 1.
		return c.N > 1 && c.N&(c.N-1) == 0 && c.R >= 1 && c.P >= 1
	}
	return true
}

// allowed reports whether valid parameters are within the limits. It divides rather than multiplies to avoid overflows.
func (c Cost) allowed() bool {
	if c.isArgon2() {
		work := maxArgon2Work
		if !c.fast() {
			work = maxOldArgon2Work
		}
		return c.P <= maxArgon2Threads && c.N <= maxArgon2Memory && c.R <= work/c.N
	}
	switch c.Algorithm {
	case pbkdf2SHA256, pbkdf2SHA1:
		return c.N <= maxPBKDF2
	case bcryptPlain, bcryptSHA256:
		return c.N <= maxBcrypt
	case scryptName:
		return c.R <= maxScryptMemory/128/c.N && c.P <= maxScryptWork/c.N/c.R
	}
	return true
}

// memory returns how many bytes a computation uses.
func (c Cost) memory() int {
	switch {
	case c.isArgon2():
		return c.N << 10
	case c.Algorithm == scryptName:
		return 128 * c.R * (c.N + c.P)
	}
	return 0
}

// lanes returns how many cores a computation uses. x/crypto's scrypt and oldArgon2 run their p lanes one after the other.
func (c Cost) lanes() int {
	if c.fast() {
		return c.P
	}
	return 1
}

func (c Cost) isArgon2() bool { return strings.HasPrefix(c.Algorithm, "argon2") }

// fast reports whether x/crypto has this variant of Argon2.
func (c Cost) fast() bool { return c.Algorithm == argon2id || c.Algorithm == argon2i }

func (c Cost) oldArgon2(password string, salt []byte, length int) []byte {
	name, old := strings.CutSuffix(c.Algorithm, argon2Old)
	kind, version := map[string]int{argon2d: typeD, argon2i: typeI, argon2id: typeID}[name], version0x13
	if old {
		version = version0x10
	}
	return oldArgon2(kind, version, []byte(password), salt, c.N, c.R, c.P, length)
}

// derive computes the tag, for all algorithms except bcrypt and crypt, for which see hashed.matches.
func (c Cost) derive(password string, salt []byte, length int) ([]byte, error) {
	if c.isArgon2() && !c.fast() {
		return c.oldArgon2(password, salt, length), nil
	}
	switch c.Algorithm {
	case argon2id:
		return argon2.IDKey([]byte(password), salt, uint32(c.R), uint32(c.N), uint8(c.P), uint32(length)), nil
	case argon2i:
		return argon2.Key([]byte(password), salt, uint32(c.R), uint32(c.N), uint8(c.P), uint32(length)), nil
	case pbkdf2SHA256:
		return pbkdf2.Key(sha256.New, password, salt, c.N, length)
	case pbkdf2SHA1:
		return pbkdf2.Key(sha1.New, password, salt, c.N, length)
	case scryptName:
		return scrypt.Key([]byte(password), salt, c.N, c.R, c.P, length)
	case md5Name, unsaltedMD5:
		tag := md5.Sum(append(salt[:len(salt):len(salt)], password...))
		return tag[:], nil
	case sha1Name, unsaltedSHA1:
		tag := sha1.Sum(append(salt[:len(salt):len(salt)], password...))
		return tag[:], nil
	}
	return nil, fmt.Errorf("cannot compute %s", c.Algorithm)
}

// preHash returns the input of bcrypt for bcrypt_sha256: a long password counts as a whole and is not cut at a NUL.
func preHash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}
