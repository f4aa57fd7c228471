package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Client is a registered application. What its metadata mean is the business of package clients.
type Client struct {
	ID string
	// Metadata is a JSON object: the metadata of RFC 7591 and Latchkey's own policies.
	Metadata json.RawMessage
	// SecretMAC and PreviousSecretMAC are the MACs of the secrets that are good now; zero = none.
	SecretMAC               Digest
	PreviousSecretMAC       Digest
	PreviousSecretExpiresAt time.Time
	Disabled                bool
	// AuthEpoch is carried by each grant and each client_credentials token from its issue; raising it ends them all.
	AuthEpoch int64
	// Version counts the updates.
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time

	// Origin says who brought it: the operator (so does an empty one, when it is stored), dynamic registration (RFC 7591), or
	// a metadata document at its own URL. It never changes.
	Origin ClientOrigin
	// RegistrationMAC is of the registration access token that is good now (RFC 7592); zero = none.
	RegistrationMAC Digest
	// RegistrationKey is of the metadata and the place that they were registered from: the same once more is the same
	// client. Zero = none; no two clients have the same.
	RegistrationKey Digest
	// ExpiresAt, when not zero, is when the client is removed unless a user has logged in to it by then.
	ExpiresAt time.Time
}

// ClientOrigin is where a client comes from.
type ClientOrigin string

// The origins of clients.
const (
	OriginOperator     ClientOrigin = "operator"
	OriginRegistration ClientOrigin = "registration"
	OriginDocument     ClientOrigin = "document"
)

// Clients keeps the registered applications. Each change is seen by Watch.
type Clients interface {
	// CreateClient stores c, its AuthEpoch set from CreatedAt, its Version 1. ErrExists: the ID is taken.
	CreateClient(ctx context.Context, c *Client, audit *AuditEvent) error

	// Client finds one, or ErrNotFound.
	Client(ctx context.Context, id string) (*Client, error)

	// ListClients gives up to limit clients with an ID above after, by ascending ID (byte order).
	ListClients(ctx context.Context, after string, limit int) ([]*Client, error)

	// UpdateClient replaces the row if it still has c.Version, and raises the version in c and in the row.
	// ErrConflict: it has another version. ErrNotFound. ErrExists: another client has c's RegistrationKey.
	// The epoch becomes the greater of c.AuthEpoch and the stored one. A client that has no ExpiresAt gets none.
	UpdateClient(ctx context.Context, c *Client, audit *AuditEvent) error

	// RaiseClientEpoch ends every grant and client_credentials token of the client; an empty id means of every client.
	// ErrNotFound for an id that is not there.
	RaiseClientEpoch(ctx context.Context, id string, now time.Time, audit *AuditEvent) error

	// CreateRegisteredClient is CreateClient for open registration: it stores c, unless a client with c's RegistrationKey
	// (which is not zero) is there, which is then returned in its place, its ExpiresAt put off to c's, or most clients with an
	// ExpiresAt are there already: ErrLimit. Concurrent callers with the same key all get the same client.
	//
	// A client with an ExpiresAt loses it when a code of it is redeemed (RedeemAuthorizationCode), and is removed by
	// Maintain once it is over.
	CreateRegisteredClient(ctx context.Context, c *Client, most int, audit *AuditEvent) (*Client, error)

	// RemoveClient removes it and what users have allowed it; grants that are left without their client are dead. ErrNotFound.
	RemoveClient(ctx context.Context, id string, audit *AuditEvent) error
}
