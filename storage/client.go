package storage

import (
	"context"
	"encoding/json"
	"time"
)

// Client is a registered application. Package clients defines what its metadata mean.
type Client struct {
	ID string
	// Metadata is a JSON object: the metadata of RFC 7591 and Latchkey's own policies.
	Metadata json.RawMessage
	// SecretMAC and PreviousSecretMAC are the MACs of the valid secrets; zero = none.
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

	// Origin is how the client was registered: by the operator (an empty one is stored as that), by dynamic registration (RFC
	// 7591), or by a metadata document at its own URL. It never changes.
	Origin ClientOrigin
	// RegistrationMAC is the MAC of the valid registration access token (RFC 7592); zero = none.
	RegistrationMAC Digest
	// RegistrationKey is a MAC of the metadata and the network that they were registered from: the same again is the same
	// client. Zero = none; no two clients have the same.
	RegistrationKey Digest
	// ExpiresAt, when not zero, is when the client is removed unless a user has logged in to it by then.
	ExpiresAt time.Time

	// DropConsents is not stored: UpdateClient removes what users have allowed the client.
	DropConsents bool
}

// ClientOrigin is where a client comes from.
type ClientOrigin string

// The origins of clients.
const (
	OriginOperator     ClientOrigin = "operator"
	OriginRegistration ClientOrigin = "registration"
	OriginDocument     ClientOrigin = "document"
)

// Clients stores the registered applications. Watch reports each change.
type Clients interface {
	// CreateClient stores c, its AuthEpoch set from CreatedAt, its Version 1. ErrExists: the ID is taken, or the subject
	// of a user (RFC 9700 §4.15).
	CreateClient(ctx context.Context, c *Client, audit *AuditEvent) error

	// Client returns a client, or ErrNotFound.
	Client(ctx context.Context, id string) (*Client, error)

	// ListClients returns up to limit clients with an ID above after, by ascending ID (byte order).
	ListClients(ctx context.Context, after string, limit int) ([]*Client, error)

	// ClientHasOrigin reports whether an enabled client has a redirect URI with that origin: https://host or https://host:port in
	// lower case, without the default port, or http://host:* for the loopback hosts 127.0.0.1, [::1] and localhost.
	ClientHasOrigin(ctx context.Context, origin string) (bool, error)

	// UpdateClient replaces the row if it still has c.Version, and raises the version in c and in the row.
	// ErrConflict: it has another version. ErrNotFound. ErrExists: another client has c's RegistrationKey.
	// The epoch becomes the greater of c.AuthEpoch and the stored one. A client that has no ExpiresAt gets none. With
	// c.DropConsents the consents of users to the client are removed in the same transaction.
	UpdateClient(ctx context.Context, c *Client, audit ...*AuditEvent) error

	// RaiseClientEpoch ends every grant and client_credentials token of the client; an empty id means of every client.
	// ErrNotFound for an unknown id.
	RaiseClientEpoch(ctx context.Context, id string, now time.Time, audit *AuditEvent) error

	// CreateRegisteredClient is CreateClient for open registration. If there is a client with c's RegistrationKey (which is not
	// zero), it returns that one, its ExpiresAt extended to c's. ErrLimit: limit clients with an ExpiresAt exist already.
	// Concurrent callers with the same key all get the same client.
	//
	// A client with an ExpiresAt loses it when a code of it is redeemed (RedeemAuthorizationCode), and Maintain removes it
	// once it has expired.
	CreateRegisteredClient(ctx context.Context, c *Client, limit int, audit *AuditEvent) (*Client, error)

	// RemoveClient removes it and the consents of users; grants whose client is removed are dead. ErrNotFound.
	RemoveClient(ctx context.Context, id string, audit *AuditEvent) error
}
