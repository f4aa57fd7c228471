package admin

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
	"time"
)

// Client is an OAuth client.
type Client struct {
	ID string `json:"client_id"`
	// Secret is only in the answer that makes it.
	Secret   string `json:"client_secret,omitempty"`
	Disabled bool   `json:"disabled,omitempty"`
	// TrustWithdrawnAt, unless zero, is when a change by the client itself withdrew verified or first_party, in seconds since 1970.
	TrustWithdrawnAt int64 `json:"trust_withdrawn_at,omitempty"`
	ClientState
	// Fields are its metadata and policies by their names in docs/registration.md; they are members of the same JSON object.
	Fields map[string]json.RawMessage `json:"-"`
}

// ClientState is what a client is besides its metadata and policies.
type ClientState struct {
	Origin    string    `json:"origin" doc:"Who registered it: operator, registration (the client itself) or document (it is described by its metadata document)."`
	HasSecret bool      `json:"has_secret" doc:"Whether it has a secret to authenticate with."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// OldSecretExpiresAt is when the secret before the present one ends; nil if there is none.
	OldSecretExpiresAt *time.Time `json:"old_secret_expires_at,omitempty" doc:"When the secret before the present one ends."`
	// ExpiresAt is when it is removed unless a user has logged in to it by then; nil if it stays.
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When it is removed unless a user has logged in to it by then."`
}

// UnmarshalJSON reads a client.
func (c *Client) UnmarshalJSON(text []byte) error {
	type known Client
	var k known
	if err := json.Unmarshal(text, &k); err != nil {
		return err
	}
	if err := json.Unmarshal(text, &k.Fields); err != nil {
		return err
	}
	for _, name := range []string{
		"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at", "registration_access_token", "registration_client_uri",
		"disabled", "trust_withdrawn_at", "origin", "has_secret", "created_at", "updated_at", "old_secret_expires_at", "expires_at",
	} {
		delete(k.Fields, name)
	}
	*c = Client(k)
	return nil
}

// SecretRotation says how a secret is replaced.
type SecretRotation struct {
	// KeepOld is how long the present secret stays valid beside the new one, like 12h or 7d; empty means not at all.
	KeepOld string `json:"keep_old,omitempty" maxLength:"64" doc:"How long the present secret stays valid beside the new one, like 12h or 7d; by default not at all."`
}

// Refusal is a request of a client that was refused.
type Refusal struct {
	At          time.Time `json:"at"`
	Reason      string    `json:"reason"`
	Address     string    `json:"address,omitempty"`
	Request     string    `json:"request_id,omitempty"`
	Error       string    `json:"error" doc:"The error of OAuth 2.0."`
	Description string    `json:"description,omitempty"`
	RedirectURI string    `json:"redirect_uri,omitempty" doc:"The address that arrived."`
	Nearest     string    `json:"nearest_registered,omitempty" doc:"The registered address that is most like it."`
	Audience    []string  `json:"audience,omitempty"`
	Hint        string    `json:"hint" doc:"What to do about it."`
}

// Refusals are the last requests of a client that were refused, newest first.
type Refusals struct {
	ClientID string    `json:"client_id"`
	Disabled bool      `json:"disabled"`
	Refusals []Refusal `json:"refusals" nullable:"false"`
}

// NewClient is a client to be registered.
type NewClient struct {
	// ID is its client_id; the server draws one by default.
	ID string
	// Fields are its metadata and policies by their names in docs/registration.md.
	Fields map[string]any
}

// MarshalJSON writes the client as the API reads it.
func (c NewClient) MarshalJSON() ([]byte, error) {
	body := map[string]any{}
	for name, value := range c.Fields {
		body[name] = value
	}
	if c.ID != "" {
		body["client_id"] = c.ID
	}
	return json.Marshal(body)
}

// ClientChange has new values of metadata and policies by their names in docs/registration.md; nil restores a default (RFC 7396).
type ClientChange map[string]any

// ClientFilter selects clients; zero fields select all.
type ClientFilter struct {
	// Search is a part of the id or the name.
	Search             string
	Origin             string
	Disabled, Verified *bool
}

// Clients lists clients by id.
func (a *API) Clients(ctx context.Context, f ClientFilter) iter.Seq2[Client, error] {
	return list[Client](ctx, a, "/clients", filters("search", f.Search, "origin", f.Origin, "disabled", yes(f.Disabled), "verified", yes(f.Verified)))
}

// Client shows a client.
func (a *API) Client(ctx context.Context, clientID string, o ...Option) (*Client, error) {
	return one[Client](ctx, a, newCall(http.MethodGet, "/clients"+segment(clientID), nil, o...))
}

// AddClient registers a client. Its secret is only in this answer.
func (a *API) AddClient(ctx context.Context, c NewClient, o ...Option) (*Client, error) {
	return one[Client](ctx, a, newCall(http.MethodPost, "/clients", c, o...))
}

// UpdateClient changes metadata and policies of a client. Sessions go on.
func (a *API) UpdateClient(ctx context.Context, clientID string, changed ClientChange, o ...Option) (*Client, error) {
	c := change(http.MethodPatch, "/clients"+segment(clientID), changed, o)
	c.header.Set("Content-Type", "application/merge-patch+json")
	return one[Client](ctx, a, c)
}

// RotateSecret replaces the secret of a client. The new one is only in this answer.
func (a *API) RotateSecret(ctx context.Context, clientID string, r SecretRotation, o ...Option) (*Client, error) {
	return one[Client](ctx, a, change(http.MethodPost, "/clients"+segment(clientID)+"/secret", r, o))
}

// DisableClient disables a client and ends its sessions.
func (a *API) DisableClient(ctx context.Context, clientID string, o ...Option) (*Client, error) {
	return one[Client](ctx, a, change(http.MethodPost, "/clients"+segment(clientID)+"/disable", nil, o))
}

// EnableClient lets a client request tokens again.
func (a *API) EnableClient(ctx context.Context, clientID string, o ...Option) (*Client, error) {
	return one[Client](ctx, a, change(http.MethodPost, "/clients"+segment(clientID)+"/enable", nil, o))
}

// RemoveClient removes a client and ends its sessions.
func (a *API) RemoveClient(ctx context.Context, clientID string, o ...Option) (*Client, error) {
	return one[Client](ctx, a, change(http.MethodDelete, "/clients"+segment(clientID), nil, o))
}

// Refusals shows why the last requests of a client were refused, at most limit, and what to do about it.
func (a *API) Refusals(ctx context.Context, clientID string, limit int) (*Refusals, error) {
	c := newCall(http.MethodGet, "/clients"+segment(clientID)+"/refusals", nil)
	c.query.Set("limit", strconv.Itoa(limit))
	return one[Refusals](ctx, a, c)
}
