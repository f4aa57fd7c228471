package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sealer encrypts data for this server's own later use: the holder can neither read nor change it. It uses XChaCha20 for its long
// nonce: random ones of 96 bits must not be drawn more often than 2^32 times.
type Sealer struct{ aeads []cipher.AEAD } // the first seals, all open

// New returns a Sealer with keys of 32 bytes: the first seals, all open.
func New(keys [][]byte) (*Sealer, error) {
	s := new(Sealer)
	for _, key := range keys {
		aead, err := chacha20poly1305.NewX(key)
		if err != nil {
			return nil, err
		}
		s.aeads = append(s.aeads, aead)
	}
	return s, nil
}

// Seal appends a nonce and the sealed data to head. Open needs the same purpose.
func (s *Sealer) Seal(head []byte, purpose string, plain []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	return s.aeads[0].Seal(append(head, nonce...), nonce, plain, []byte(purpose))
}

// ErrUnsealed is returned for data that was not sealed by this server, or for another purpose.
var ErrUnsealed = errors.New("not sealed by this server")

// Open returns the data that Seal appended.
func (s *Sealer) Open(b []byte, purpose string) ([]byte, error) {
	if len(b) <= chacha20poly1305.NonceSizeX {
		return nil, ErrUnsealed
	}
	nonce, sealed := b[:chacha20poly1305.NonceSizeX], b[chacha20poly1305.NonceSizeX:]
	for _, aead := range s.aeads {
		if plain, err := aead.Open(nil, nonce, sealed, []byte(purpose)); err == nil {
			return plain, nil
		}
	}
	return nil, ErrUnsealed
}

// SealJSON seals the JSON of v, and returns it as base64url.
func (s *Sealer) SealJSON(purpose string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.Seal(nil, purpose, plain)), nil
}

// OpenJSON decodes into v what SealJSON returned.
func (s *Sealer) OpenJSON(purpose, text string, v any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") { // the decoder would skip them
		return ErrUnsealed
	}
	plain, err := s.Open(b, purpose)
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}
