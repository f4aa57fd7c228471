package main

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

// secretFileSuffix is appended to the path of an SQLite database for the file with its root secret.
const secretFileSuffix = ".secret"

// rootSecretFile reads the root secret in the file at path, and makes the file when it is not there: with mode 0600,
// whole or not at all, and once even when several processes start at the same time.
func rootSecretFile(path string) (storage.Secret, error) {
	secret, err := readRootSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := createRootSecret(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make the root secret: %w. Give one with LATCHKEY_SECRET if there can be no such file", err)
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
		return "", fmt.Errorf("the root secret in %s has less than %d bytes. Restore the file from a backup, or give the secret with LATCHKEY_SECRET", path, keys.MinSecret)
	}
	return secret, nil
}

// createRootSecret writes a file beside it first and then links it into place: unlike a rename, a link never
// replaces the file of a process that was faster.
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
	// The file's name must survive a crash as well: what is sealed with the secret does.
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
