package token

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealer writes values that only this server reads again: they travel through browsers, which must neither read nor
// change them. XChaCha20 for its long nonce: random ones of 96 bits must not be drawn more often than 2^32 times.
type sealer struct{ aeads []cipher.AEAD }

func newSealer(keys [][]byte) (*sealer, error) {
	s := new(sealer)
	for _, key := range keys {
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return nil, err
		}
		s.aeads = append(s.aeads, aead)
	}
	return s, nil
}

// errUnsealed: the text was not sealed here, or for another purpose.
var errUnsealed = errors.New("not sealed by this server")

// seal gives base64url text. What was sealed for one purpose is not opened for another.
func (s *sealer) seal(purpose string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	b := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	rand.Read(b)
	b = s.aeads[0].Seal(b, b, plain, []byte(purpose))
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func (s *sealer) open(purpose, text string, v any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) <= chacha20poly1305.NonceSizeX {
		return errUnsealed
	}
	nonce, sealed := b[:chacha20poly1305.NonceSizeX], b[chacha20poly1305.NonceSizeX:]
	for _, aead := range s.aeads {
		plain, err := aead.Open(nil, nonce, sealed, []byte(purpose))
		if err == nil {
			return json.Unmarshal(plain, v)
		}
	}
	return errUnsealed
}
