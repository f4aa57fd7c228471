package token

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealer encrypts what others carry for this server: they can neither read nor change it. XChaCha20 for its long nonce: random
// ones of 96 bits must not be drawn more often than 2^32 times.
type sealer struct{ aeads []cipher.AEAD } // the first seals, all open

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

// seal appends a nonce and what is sealed to head. What was sealed for one purpose is not opened for another.
func (s *sealer) seal(head []byte, purpose string, plain []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	return s.aeads[0].Seal(append(head, nonce...), nonce, plain, []byte(purpose))
}

// errUnsealed: it was not sealed here, or for another purpose.
var errUnsealed = errors.New("not sealed by this server")

// open is given what seal appended.
func (s *sealer) open(b []byte, purpose string) ([]byte, error) {
	if len(b) <= chacha20poly1305.NonceSizeX {
		return nil, errUnsealed
	}
	nonce, sealed := b[:chacha20poly1305.NonceSizeX], b[chacha20poly1305.NonceSizeX:]
	for _, aead := range s.aeads {
		if plain, err := aead.Open(nil, nonce, sealed, []byte(purpose)); err == nil {
			return plain, nil
		}
	}
	return nil, errUnsealed
}

// sealJSON gives base64url text.
func (s *sealer) sealJSON(purpose string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.seal(nil, purpose, plain)), nil
}

func (s *sealer) openJSON(purpose, text string, v any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder would skip them
		return errUnsealed
	}
	plain, err := s.open(b, purpose)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}
