package password

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"latchkey/storage"
)

// djangoIterations is the cost of a hash that replaces one that is too weak to be made again: that of Django 4.2.
const djangoIterations = 600_000

// HashLike returns a hash in Django's form, of the algorithm and the cost of another one that Django has made: Django verifies it, and
// does not replace it at the next login. For one that is weak or of no known algorithm it is PBKDF2, which every Django has. Errors:
// ErrOverload, ctx's.
func (h *Hasher) HashLike(ctx context.Context, password storage.Secret, like string) (string, error) {
	cost := Cost{Algorithm: pbkdf2SHA256, N: djangoIterations}
	if parsed, err := parse(like); err == nil {
		switch parsed.Algorithm {
		case argon2id, argon2i, pbkdf2SHA256, bcryptPlain, bcryptSHA256, scryptName:
			cost = parsed.Cost
		}
	}
	if err := h.acquire(ctx, cost); err != nil {
		return "", err
	}
	defer h.release(cost)
	if cost.Algorithm == bcryptPlain || cost.Algorithm == bcryptSHA256 {
		return djangoBcrypt(password.Reveal(), cost)
	}
	salt := rand.Text()[:22] // Django's salts are letters and digits
	fresh := hashed{Cost: cost, salt: []byte(salt)}
	length := 32
	if cost.Algorithm == scryptName {
		length = 64
	}
	tag, err := fresh.derive(password.Reveal(), fresh.salt, length)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	encoded := base64.StdEncoding.EncodeToString(tag)
	switch cost.Algorithm {
	case pbkdf2SHA256:
		return fmt.Sprintf("%s$%d$%s$%s", pbkdf2SHA256, cost.N, salt, encoded), nil
	case scryptName:
		return fmt.Sprintf("%s$%d$%s$%d$%d$%s", scryptName, cost.N, salt, cost.R, cost.P, encoded), nil
	}
	fresh.tag = tag
	return "argon2" + fresh.phc(), nil
}

func djangoBcrypt(password string, cost Cost) (string, error) {
	if cost.Algorithm == bcryptSHA256 {
		password = preHash(password)
	}
	encoded, err := bcrypt.GenerateFromPassword([]byte(password[:min(len(password), 72)]), cost.N) // as in Django, no more than that counts
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return cost.Algorithm + "$" + strings.Replace(string(encoded), "$2a$", "$2b$", 1), nil
}
