package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latchkey/server/simplejwt"
)

// What is wrong with a key of Django's is said with the option, and with the file that it was read from; the key is never shown.
func TestFaultsOfDjangosKeysNameTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := func() (private, public string) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p8, _ := x509.MarshalPKCS8PrivateKey(k)
		spki, _ := x509.MarshalPKIXPublicKey(k.Public())
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p8})), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	}
	private, public := key()
	_, otherPublic := key()
	good, goodPublic := file("good.pem", private), file("public.pem", public)
	for _, c := range []struct {
		algorithm, signing, verifying string
		subject, problem              string // empty: accepted
	}{
		{"ES256", good, "", "", ""},
		{"ES256", "", goodPublic, "", ""},
		{"ES256", good, goodPublic, "", ""},
		{"HS256", file("secret", "a secret of at least thirty-two bytes"), "", "", ""},
		{"ES256", filepath.Join(dir, "none.pem"), "", "--simplejwt-signing-key", "none.pem"},
		{"ES256", dir, "", "--simplejwt-signing-key", dir},
		{"ES256", file("garbage", "garbage"), "", filepath.Join(dir, "garbage"), "is not a key in PEM"},
		{"RS256", good, "", good, "needs an RSA key"},
		{"HS256", good, "", good, "is a key in PEM, and --simplejwt-algorithm is HS256"},
		{"ES256", file("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), "", "encrypted", "passphrase"},
		{"ES256", goodPublic, "", goodPublic, "is a public key"},
		{"ES256", "", good, good, "is a private key"},
		{"ES256", good, file("other.pem", otherPublic), filepath.Join(dir, "other.pem"), "is not the public half"},
		{"HS256", "", goodPublic, goodPublic, "is not used with --simplejwt-algorithm HS256"},
	} {
		given := values{"simplejwt-algorithm": {c.algorithm}}
		for name, path := range map[string]string{"simplejwt-signing-key-file": c.signing, "simplejwt-verifying-key-file": c.verifying} {
			if path != "" {
				given[name] = []string{path}
			}
		}
		_, found := everyOption(given)
		said := found.Error()
		if c.subject == "" && len(found) > 0 || c.subject != "" && (len(found) != 1 || !strings.Contains(said, c.subject) || !strings.Contains(said, c.problem)) {
			t.Errorf("%s %s %s: %v, want %q %q", c.algorithm, c.signing, c.verifying, found, c.subject, c.problem)
		}
		if strings.Contains(said, strings.Split(private, "\n")[1]) {
			t.Errorf("the key is shown: %s", said)
		}
	}
}

func TestLegacyCookiesNeedOurs(t *testing.T) {
	t.Parallel()
	s, found := everyOption(values{"simplejwt-refresh-cookie": {"refresh"}, "simplejwt-refresh-cookie-legacy": {"my-refresh;Path=/auth", "other"}})
	want := []simplejwt.LegacyCookie{{Name: "my-refresh", Path: "/auth"}, {Name: "other"}}
	if len(found) > 0 || !slices.Equal(s.Server.SimpleJWT.LegacyCookies, want) {
		t.Errorf("%+v, %v", s.Server.SimpleJWT.LegacyCookies, found)
	}
	for _, given := range []values{
		{"simplejwt-refresh-cookie-legacy": {"my-refresh"}},
		{"simplejwt-refresh-cookie": {"refresh"}, "simplejwt-refresh-cookie-legacy": {"__Host-refresh"}},
	} {
		if _, found := everyOption(given); len(found) != 1 || !strings.Contains(found[0].Subject, "simplejwt-refresh-cookie-legacy") {
			t.Errorf("%v: %v", given, found)
		}
	}
}
