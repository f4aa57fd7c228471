package clients

import (
	"latchkey/storage"
)

// Registered is a client as the registration response shows it (RFC 7591 §3.2.1), ready for encoding/json.
type Registered struct {
	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret,omitempty"`
	ClientIDIssuedAt int64  `json:"client_id_issued_at"`
	// ClientSecretExpiresAt comes with a secret: 0 means never.
	ClientSecretExpiresAt *int64 `json:"client_secret_expires_at,omitempty"`
	// RegistrationAccessToken and RegistrationClientURI are RFC 7592 §3.
	RegistrationAccessToken string `json:"registration_access_token,omitempty"`
	RegistrationClientURI   string `json:"registration_client_uri,omitempty"`
	Metadata
	Policy
	Disabled bool `json:"disabled,omitempty"`
}

// Registration renders a client, with its secret when there is one to show.
func (c *Client) Registration(secret storage.Secret) Registered {
	shown := Registered{
		ClientID: c.ID, ClientSecret: secret.Reveal(), ClientIDIssuedAt: c.CreatedAt.Unix(),
		Metadata: c.Metadata, Policy: c.Policy, Disabled: c.Disabled,
	}
	if secret != "" {
		shown.ClientSecretExpiresAt = new(int64)
	}
	return shown
}
