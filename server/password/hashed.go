package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// hashed is a parsed hash string.
type hashed struct {
	Cost
	// salt and tag are bytes, except for bcrypt and crypt, where they are in their own base64.
	salt, tag []byte
}

// matches computes the tag of the password and compares it in constant time.
func (h hashed) matches(password string) (bool, error) {
	switch h.Algorithm {
	case desCrypt:
		return matchesCrypt(password, h.salt, h.tag), nil
	case bcryptSHA256:
		password = preHash(password)
		fallthrough
	case bcryptPlain:
		text := fmt.Sprintf("$2b$%02d$%s%s", h.N, h.salt, h.tag)
		// Only the first 72 bytes of a longer password count, as in Django.
		err := bcrypt.CompareHashAndPassword([]byte(text), []byte(password))
		if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			return false, err
		}
		return err == nil, nil
	}
	tag, err := h.derive(password, h.salt, len(h.tag))
	return err == nil && subtle.ConstantTimeCompare(tag, h.tag) == 1, err
}

// decoy returns a hash of the given cost that no password matches.
func decoy(c Cost) hashed {
	if c.Algorithm == bcryptPlain || c.Algorithm == bcryptSHA256 {
		return hashed{c, []byte(strings.Repeat(".", 22)), []byte(strings.Repeat(".", 31))}
	}
	if c.Algorithm == desCrypt {
		return hashed{c, []byte(".."), []byte("*")}
	}
	return hashed{c, make([]byte, 16), make([]byte, 32)}
}

// phc returns an argon2id hash as a PHC string.
func (h hashed) phc() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$%s$%s", h.Algorithm, h.N, h.R, h.P, b64.EncodeToString(h.salt), b64.EncodeToString(h.tag))
}
