package clients

import (
	"encoding/json"
	"strings"
)

// Registration is what a client is registered with. Its JSON is what the database stores.
type Registration struct {
	// ID is the client_id; empty means that one is to be generated.
	ID string `json:"-"`
	Metadata
	Policy
	History
	// Schemes are the private-use schemes without a dot that redirect URIs may have; nil means those of RedirectSchemes.
	Schemes []string `json:"-"`
	// Version is that of the client that is changed.
	Version int64 `json:"-"`
	// Actor is who registers, for the audit event; empty means the registry's.
	Actor string `json:"-"`
}

// History is what a client did to its own registration.
type History struct {
	// TokenRotations counts the registration access tokens that the client had before the current one.
	TokenRotations uint64 `json:"registration_token_rotations,omitempty"`
	// DescriptionChanges counts how often the client, or its metadata document, changed what users and operators judge it by.
	DescriptionChanges uint64 `json:"description_changes,omitempty"`
	// TrustWithdrawnAt, if not zero, is when such a change withdrew verified or first_party, in seconds since 1970.
	TrustWithdrawnAt int64 `json:"trust_withdrawn_at,omitempty"`
}

// Encode returns the JSON of a registration that [Validate] returned or that was stored.
func (r *Registration) Encode() json.RawMessage {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err) // only for a JWKS that is not JSON, which Validate refuses
	}
	return raw
}

// RegistrationResponse is the client information response (RFC 7591 §3.2.1, RFC 7592 §3), ready for encoding/json.
type RegistrationResponse struct {
	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret,omitempty"`
	ClientIDIssuedAt int64  `json:"client_id_issued_at"`
	// ClientSecretExpiresAt is present with a secret: 0 means never.
	ClientSecretExpiresAt   *int64 `json:"client_secret_expires_at,omitempty"`
	RegistrationAccessToken string `json:"registration_access_token,omitempty"`
	RegistrationClientURI   string `json:"registration_client_uri,omitempty"`
	Metadata
	Policy
	Disabled bool `json:"disabled,omitempty"`
	// TrustWithdrawnAt is that of [Registration].
	TrustWithdrawnAt int64 `json:"trust_withdrawn_at,omitempty"`
}

// empty reports whether a list has no members but empty ones.
func empty(list []string) bool { return strings.Join(list, "") == "" }
