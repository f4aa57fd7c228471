package storage

import (
	"context"
	"slices"
	"time"
)

// Consent is what a user has allowed a client so far.
type Consent struct {
	UserID   int64
	ClientID string
	// Scope and Audience are everything that was allowed, wherever: for people to read. Allows knows which scope was allowed where.
	Scope    []string
	Audience []string
	// Fingerprint is the hash of the client's redirect URIs when the user agreed; a consent with another fingerprint does not count.
	Fingerprint Digest
	CreatedAt   time.Time
	UpdatedAt   time.Time

	// At is what was allowed at each resource, as long as AtFingerprint is the Fingerprint. GrantConsent sets both.
	At            ScopeAt
	AtFingerprint Digest

	// Offered are the resources that the user was shown for a request that names none. It is not read back: see AllowsOffered.
	Offered []string

	// RedirectHost limits what GrantConsent adds to answers to this host; empty = to any that the client has. It is not read back.
	RedirectHost string
}

// ScopeAt maps a resource to the scopes that were allowed there. The empty resource stands for requests that name none. Before a resource
// there may be a host and a space: then the scopes were allowed for answers to that host. With a question mark before it, a resource was
// offered, not named.
type ScopeAt map[string][]string

// key returns the key of a resource in a ScopeAt.
func key(host, resource string) string {
	if host == "" {
		return resource
	}
	return host + " " + resource
}

// Allows reports whether the scope was allowed at each of the resources; for a request that names none, without a resource. With a
// host only what was allowed for answers to it counts, without one only what was allowed for any.
func (c *Consent) Allows(scope, resources []string, host string) bool {
	if c.AtFingerprint != c.Fingerprint {
		return false
	}
	if len(resources) == 0 {
		resources = []string{""}
	}
	return !slices.ContainsFunc(resources, func(resource string) bool {
		allowed, ok := c.At[key(host, resource)]
		return !ok || slices.ContainsFunc(scope, func(name string) bool { return !slices.Contains(allowed, name) })
	})
}

// AllowsOffered reports whether the scope was allowed at the resource when it was named or offered.
func (c *Consent) AllowsOffered(scope []string, resource, host string) bool {
	return c.Allows(scope, []string{resource}, host) || c.Allows(scope, []string{offered(resource)}, host)
}

// offered returns the resource of a ScopeAt for what was allowed at a resource that was offered. No URI begins like it.
func offered(resource string) string { return "?" + resource }

// Single returns the consent with what it allows if it is the only one: its Scope at each member of its Audience; if that is empty, without
// a resource, and as offered at each member of Offered.
func (c *Consent) Single() *Consent {
	single := *c
	single.At, single.AtFingerprint, single.RedirectHost, single.Offered = make(ScopeAt), c.Fingerprint, "", nil
	resources := c.Audience
	if len(resources) == 0 {
		resources, single.Audience = []string{""}, c.Offered
		for _, resource := range c.Offered {
			resources = append(resources, offered(resource))
		}
	}
	for _, resource := range resources {
		single.At[key(c.RedirectHost, resource)] = append([]string{}, c.Scope...)
	}
	return &single
}

// ConsentEnd revokes a consent.
type ConsentEnd struct {
	UserID   int64
	ClientID string
	// Reason becomes the revoke reason of the grants that end with it.
	Reason string
	Now    time.Time
}

// ConsentFilter selects consents; zero fields select all.
type ConsentFilter struct {
	UserID   int64
	ClientID string
	// AfterUser and AfterClient select those behind this one, by user and then by client.
	AfterUser   int64
	AfterClient string
	Limit       int
}

// Consents stores what users have allowed.
type Consents interface {
	// GrantConsent adds c's scope, at each member of c's audience or without one, to what the user has allowed the client, or
	// replaces it when its fingerprint is another one. CreatedAt of the first is kept. Concurrent callers lose none of each other's scopes.
	// ErrNotFound: the user or the client does not exist. Removing either removes the consent.
	GrantConsent(ctx context.Context, c *Consent, audit *AuditEvent) error

	// ListConsents returns up to limit consents of a user by ascending client ID.
	ListConsents(ctx context.Context, userID int64, limit int) ([]*Consent, error)

	// SearchConsents returns up to f.Limit consents by ascending user and client ID (byte order).
	SearchConsents(ctx context.Context, f ConsentFilter) ([]*Consent, error)

	// RevokeConsent removes the consent and revokes every grant of this user with this client, in one transaction;
	// unredeemed codes are dead too, and so are device codes that the user has approved. It reports whether there was a consent or a live grant. audit is written if and only if so.
	RevokeConsent(ctx context.Context, e ConsentEnd, audit *AuditEvent) (bool, error)
}
