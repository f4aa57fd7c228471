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

// Missing is what to do about a root secret whose file does not exist.
type Missing int

const (
	// Refuse: the database has what was made with it.
	Refuse Missing = iota
	// Draw creates the file.
	Draw
	// Pretend returns a secret that is kept nowhere, for commands that change nothing.
	Pretend
)

// MissingSecret means that the file of the root secret is gone, and that the database needs it.
type MissingSecret struct{ Path string }

func (m *MissingSecret) Error() string {
	return m.Path + " is missing, the root secret that the database was made with. Restore it from the backup of the database, or set LATCHKEY_SECRET"
}

// rootSecretFile reads the root secret from a file. A missing file may be created, with mode 0600, completely or not at all, and
// once even if several processes start at the same time.
func rootSecretFile(path string, missing func() (Missing, error)) (storage.Secret, error) {
	secret, err := readRootSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	what, err := missing()
	switch {
	case err != nil:
		return "", err
	case what == Draw:
		if err := createRootSecret(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("create the root secret: %w. Set LATCHKEY_SECRET if the file can't be created", err)
		}
	}
	// Another process may have created it meanwhile, and used it.
	secret, err = readRootSecret(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return secret, err
	case what == Pretend:
		return drawRootSecret(), nil
	}
	return "", &MissingSecret{path}
}

func drawRootSecret() storage.Secret {
	drawn := make([]byte, 48)
	rand.Read(drawn)
	return storage.Secret(base64.RawURLEncoding.EncodeToString(drawn))
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
	_, err = f.WriteString(drawRootSecret().Reveal() + "\n")
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
