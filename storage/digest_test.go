package storage_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"latchkey/storage"
)

// TestSecretsAreNotShown however they are printed or logged, alone or within something.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	secret := storage.Secret(canary)
	digest := storage.Digest([]byte(strings.Repeat("canary-!", 4)))
	within := struct {
		Secret storage.Secret
		Digest storage.Digest
		List   []storage.Secret
	}{secret, digest, []storage.Secret{secret}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", secret, digest, within)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("message", "secret", secret, "digest", digest, "within", within)
	}
	// A digest's bytes would show as text, as numbers or in hexadecimal.
	for _, leak := range []string{"canary", "99 97 110", "99, 97, 110", "0x63, 0x61", "63616e617279"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q shows in:\n%s", leak, out.String())
		}
	}
	if secret.Reveal() != canary {
		t.Errorf("revealed is %q", secret.Reveal())
	}
}

func TestTheZeroDigestIsNone(t *testing.T) {
	t.Parallel()
	if !(storage.Digest{}).IsZero() || (storage.Digest{31: 1}).IsZero() {
		t.Error("IsZero is wrong")
	}
}
