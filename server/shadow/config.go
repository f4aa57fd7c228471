package shadow

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Config configures a Proxy.
type Config struct {
	// Upstream is Django.
	Upstream *url.URL
	// Paths are those that the views have at Django; a missing one is simplejwt's own.
	Paths map[Route]string
	// Own answers for the share, Rehearsed without effects.
	Own, Rehearsed http.Handler
	// Share of the users, from 0 to 1, that Own answers.
	Share float64
	// Subject returns the id of the user with a login name, as tokens carry it.
	Subject func(ctx context.Context, name string) (string, error)
	// LookupPatience is how long a login waits for Subject, before Django is asked.
	LookupPatience time.Duration
	// UserIDClaim and UsernameField are simplejwt's settings.
	UserIDClaim, UsernameField string
	// Cookies are the names of cookies that a refresh token may be in.
	Cookies []string
	// Key keys the hashes of tokens' ids. It has 32 bytes.
	Key []byte
	// Rotation is the policy that the server has.
	Rotation string
	// File is where the counts are kept.
	File   string
	Logger *slog.Logger
	Now    func() time.Time
}
