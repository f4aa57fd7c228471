// Package breached asks a service whether a password is known from a data breach, without telling it the password: the service learns the
// first five hexadecimal digits of the SHA-1 hash, and answers with all hashes that begin so (k-anonymity, as haveibeenpwned.com/API/v3 has it).
package breached

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/safehttp"
	"latchkey/storage"
)

const (
	// patience is how long a person waits for the service. Later, or without it, passwords are accepted.
	patience = 3 * time.Second
	// maxAnswer is the longest answer: the real ones have about 40 KB.
	maxAnswer = 1 << 20
	// prefix is how many digits the service gets.
	prefix = 5
)

// List is a service that knows hashes.
type List struct {
	http *safehttp.Client
	url  string
}

// New returns the service at a URL to which the beginning of a hash is appended, like https://api.pwnedpasswords.com/range/.
func New(http *safehttp.Client, url string) *List {
	return &List{http, strings.TrimSuffix(url, "/") + "/"}
}

// Has reports whether the service knows a password. The error is safehttp.ErrFetch.
func (l *List) Has(ctx context.Context, secret storage.Secret) (bool, error) {
	sum := sha1.Sum([]byte(secret.Reveal()))
	hash := strings.ToUpper(hex.EncodeToString(sum[:]))
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	url := l.url + hash[:prefix]
	resp, err := l.http.Get(ctx, url, safehttp.Options{
		Trusted: true, AllowHTTP: clients.IsLoopbackURI(l.url), ContentTypes: []string{"text/plain"}, MaxBytes: maxAnswer,
	})
	if err != nil {
		return false, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(resp.Body)); lines.Scan(); {
		// SUFFIX:COUNT; a line with 0 hides how many there are.
		suffix, count, _ := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if strings.EqualFold(suffix, hash[prefix:]) {
			return strings.Trim(count, "0") != "", nil
		}
	}
	return false, nil
}
