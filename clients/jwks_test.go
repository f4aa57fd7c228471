package clients

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestBrokenKeysAreRefusedWhereTheyAreRegistered(t *testing.T) {
	t.Parallel()
	const good = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	short := strings.Replace(good, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "Wwi-l182t6vb-rxHxTL3t38NEuU02BmFjBlIfLQPiw", 1)
	for text, fault := range map[string]string{
		good:                           "",
		short:                          "key 2",
		`{"kty":"RSA","e":"AQAB"}`:     "key 2",
		`{"kty":"OKP","crv":"X25519"}`: "", // for somebody else
		`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`: "",
	} {
		_, err := publicKeySet(json.RawMessage(`{"keys":[` + good + `,` + text + `]}`))
		if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
			t.Errorf("%s: %v, want %q", text, err, fault)
		}
	}
}

// Members of a key set have exactly their names; others are ignored (RFC 7517 §5).
func TestTheKeysOfASetAreItsMemberKeys(t *testing.T) {
	t.Parallel()
	const good = `{"keys":[{"kty":"OKP","crv":"X25519"}]}`
	for _, more := range []string{`"KEYS":[]`, `"\u212aeys":[]`, `"Keys":[{"kty":"other"}]`} {
		got, err := publicKeySet(json.RawMessage(good[:len(good)-1] + "," + more + "}"))
		if err != nil || string(got) != `{"keys":[{"crv":"X25519","kty":"OKP"}]}` {
			t.Errorf("%s: %s, %v", more, got, err)
		}
		if _, err := publicKeySet(json.RawMessage("{" + more + "}")); err == nil {
			t.Errorf("%s alone is a key set", more)
		}
	}
}
