package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"latchkey/server/keys"
	"latchkey/storage"
)

// rootSecretFile reads the root secret from a file. A missing file is created, with mode 0600, completely or not at all, and
// once even if several processes start at the same time.
func rootSecretFile(path string) (storage.Secret, error) {
	secret, err := readRootSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := createRootSecret(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("create the root secret: %w. Set LATCHKEY_SECRET if the file can't be created", err)
	}
	return readRootSecret(path)
}

func readRootSecret(path string) (storage.Secret, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the root secret: %w", err)
	}
	secret := storage.Secret(strings.TrimRight(string(content), "\r\n"))
	if len(secret) < keys.MinSecret {
		return "", fmt.Errorf("the root secret in %s has fewer than %d bytes. Restore the file from a backup, or set LATCHKEY_SECRET", path, keys.MinSecret)
	}
	return secret, nil
}

// createRootSecret writes a temporary file and then links it to path: unlike a rename, a link never replaces the file of a
// process that was faster.
func createRootSecret(path string) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	drawn := make([]byte, 48)
	rand.Read(drawn)
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(drawn) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	// The directory entry must survive a crash too, because what is encrypted with the secret does.
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
