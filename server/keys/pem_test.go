package keys_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"latchkey/server/keys"
)

func block(t *testing.T, typ string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

// Every form in which openssl, ssh-keygen and Python write a key, and what each algorithm makes of it.
func TestReadPEM(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	p8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return block(t, "PRIVATE KEY", der, err)
	}
	spki := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		return block(t, "PUBLIC KEY", der, err)
	}
	sec1 := func(key *ecdsa.PrivateKey) string {
		der, err := x509.MarshalECPrivateKey(key)
		return block(t, "EC PRIVATE KEY", der, err)
	}
	pkcs1 := block(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	for _, c := range []struct {
		algorithm, text string
		public          crypto.PublicKey
		signs           bool
	}{
		{"RS256", pkcs1, rsaKey.Public(), true},
		{"RS512", p8(rsaKey), rsaKey.Public(), true},
		{"RS384", spki(rsaKey.Public()), rsaKey.Public(), false},
		{"RS256", block(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey), nil), rsaKey.Public(), false},
		{"ES256", sec1(p256), p256.Public(), true},
		{"ES256", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + sec1(p256), p256.Public(), true},
		{"ES256", strings.ReplaceAll(p8(p256), "\n", "\r\n"), p256.Public(), true},
		{"ES256", strings.ReplaceAll(strings.TrimSpace(p8(p256)), "\n", `\n`), p256.Public(), true},
		{"ES384", "\ufeff" + p8(p384), p384.Public(), true},
		{"ES512", sec1(p521), p521.Public(), true},
		{"ES512", spki(p521.Public()), p521.Public(), false},
		{"EdDSA", p8(ed), ed.Public(), true},
	} {
		f, err := keys.ReadPEM(c.algorithm, c.text)
		if err != nil || f.CanSign() != c.signs || len(f.KID) != 43 || !strings.Contains(string(f.Public), f.KID) || strings.Contains(string(f.Public), `"d"`) {
			t.Errorf("%s: %+v, %v, for\n%s", c.algorithm, f, err, c.text)
			continue
		}
		if !c.signs {
			continue
		}
		for range 20 { // of r and s one is short now and then
			signature, err := f.Signer().Sign([]byte("input"))
			if err != nil || f.Verify([]byte("input"), signature) != nil {
				t.Fatalf("%s: %v", c.algorithm, err)
			}
			if f.Verify([]byte("other"), signature) == nil || f.Verify([]byte("input"), signature[1:]) == nil || f.Verify([]byte("input"), nil) == nil {
				t.Errorf("%s: a wrong signature is good", c.algorithm)
			}
		}
	}
	certain := p8(p256)
	for name, c := range map[string]struct{ algorithm, text, says string }{
		"a secret":               {"RS256", "secret", "is not a key in PEM"},
		"nothing":                {"RS256", "", "is not a key in PEM"},
		"cut off":                {"ES256", certain[:len(certain)-30], "is not whole"},
		"damaged":                {"ES256", strings.Replace(certain, "\nM", "\nN", 1), "damaged"},
		"encrypted PKCS #8":      {"RS256", block(t, "ENCRYPTED PRIVATE KEY", []byte{1}, nil), "passphrase"},
		"encrypted PKCS #1":      {"RS256", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "passphrase"},
		"OpenSSH":                {"ES256", block(t, "OPENSSH PRIVATE KEY", []byte{1}, nil), "OpenSSH"},
		"a request":              {"ES256", block(t, "CERTIFICATE REQUEST", []byte{1}, nil), "CERTIFICATE REQUEST"},
		"two keys":               {"ES256", certain + certain, "more than one"},
		"short RSA":              {"RS256", shortRSA, "1024 bits"},
		"EC for RSA":             {"RS256", certain, "needs an RSA key"},
		"RSA for EC":             {"ES256", pkcs1, "is an RSA key of 2048 bits; ES256 needs an EC key on P-256"},
		"another curve":          {"ES256", p8(p384), "is an EC key on P-384; ES256 needs an EC key on P-256"},
		"another curve, public":  {"ES512", spki(p256.Public()), "needs an EC key on P-521"},
		"Ed25519 for EC":         {"ES256", p8(ed), "is an Ed25519 key"},
		"EC for Ed25519":         {"EdDSA", certain, "needs Ed25519"},
		"an unknown algorithm":   {"PS256", pkcs1, "is an RSA key"},
		"NUL and invalid UTF-8 ": {"ES256", "-----BEGIN \x00\xff", "is not whole"},
	} {
		_, err := keys.ReadPEM(c.algorithm, c.text)
		var wrong *keys.PEMError
		if !errors.As(err, &wrong) || !strings.Contains(wrong.Problem, c.says) || wrong.Remedy == "" {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// shortRSA is a public key of 1024 bits: Go makes none, nor a private one.
const shortRSA = `-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDMCvkUFbV3Sn4PNa8a6i4LmYiB
q1EqIVTs0TEjdhk213A7YjZVOxQa5ZlbumqqdGlXnY1gaeKQ/n8TPdpbIPBMx3YL
udbu3ui1vtc9K59gAbd5evtGlJqIOn88yimChog/i0it9+y2ZEQie0+X20N39x8b
2xYy1eW2ofGBOzUrowIDAQAB
-----END PUBLIC KEY-----
`
