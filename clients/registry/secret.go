package registry

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"latchkey/clients"
	"latchkey/storage"
)

// The prefixes of secrets, by which scanners of source code recognise them.
const (
	secretPrefix            = "lk_cs_"
	registrationTokenPrefix = "lk_rat_"
	initialTokenPrefix      = "lk_iat_"
)

// secretMAC returns what is stored of a secret. It is fast, since 256 random bits can't be guessed; the client's ID is part
// of it, so that equal secrets do not show and rows can't be swapped. It is never all zeros.
func secretMAC(key []byte, id string, secret storage.Secret) (mac storage.Digest) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id))
	h.Write([]byte{0})
	h.Write([]byte(secret.Reveal()))
	h.Sum(mac[:0])
	return mac
}

// selfKeys returns the keys of what is derived, not drawn, for clients that register themselves. They are derived under the
// empty client_id, which no client has.
func selfKeys(keys [][]byte) [][]byte {
	derived := make([][]byte, len(keys))
	for i, key := range keys {
		mac := secretMAC(key, "", "client registration")
		derived[i] = mac[:]
	}
	return derived
}

// derivedSecret returns the secret of a client that registered itself: it is derived so that it can be shown again.
func derivedSecret(key []byte, id string) storage.Secret {
	return clients.FormatSecret(secretPrefix, derive(key, "client secret", []byte(id)))
}

// registrationToken returns the registration access token of a client after a number of rotations.
func registrationToken(key []byte, id string, rotations uint64) storage.Secret {
	rotation := binary.BigEndian.AppendUint64(nil, rotations)
	return clients.FormatSecret(registrationTokenPrefix, derive(key, "registration access token", []byte(id), rotation))
}

// derive derives 32 bytes for one purpose, which only the holder of key can derive.
func derive(key []byte, purpose string, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range append([][]byte{[]byte(purpose)}, parts...) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part)))) // so that no two lists of parts are alike
		h.Write(part)
	}
	return h.Sum(nil)
}
