package admin

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// RegistrationToken is an initial access token (RFC 7591), with which developers register clients themselves.
type RegistrationToken struct {
	ID string `json:"id" format:"uuid"`
	// Token is only in the answer that creates it.
	Token string `json:"registration_token,omitempty" doc:"The token; only in the answer that creates it."`
	Name  string `json:"name" doc:"Its purpose."`
	// Uses is the number of clients that can still be registered with it; nil if there is no limit.
	Uses      *int            `json:"uses" doc:"How many clients can still be registered with it; null if there is no limit."`
	Policy    json.RawMessage `json:"policy" doc:"The policies that every client which is registered with it gets."`
	State     string          `json:"state" doc:"good, used up or expired."`
	CreatedAt time.Time       `json:"created_at"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// NewRegistrationToken is an initial access token to be created.
type NewRegistrationToken struct {
	Name string `json:"name,omitempty" maxLength:"255" doc:"Its purpose."`
	// Uses is how many clients can be registered with it; 0 is not sent and stands for one, -1 for no limit.
	Uses int `json:"uses,omitempty"`
	// TTL is how long it is valid, like 12h or 7d; empty means 7d.
	TTL string `json:"ttl,omitempty" maxLength:"64" doc:"How long it is valid, like 12h or 7d; by default 7d."`
	// Policy has policies of clients by their names in docs/registration.md.
	Policy json.RawMessage `json:"policy,omitempty" doc:"The policies that every client which is registered with it gets."`
}

// RegistrationTokens lists initial access tokens, oldest first.
func (a *API) RegistrationTokens(ctx context.Context) iter.Seq2[RegistrationToken, error] {
	return list[RegistrationToken](ctx, a, "/registration-tokens", nil)
}

// RegistrationToken shows an initial access token, without the token itself.
func (a *API) RegistrationToken(ctx context.Context, tokenID string) (*RegistrationToken, error) {
	return one[RegistrationToken](ctx, a, newCall(http.MethodGet, "/registration-tokens"+segment(tokenID), nil))
}

// AddRegistrationToken creates an initial access token, which is only in this answer.
func (a *API) AddRegistrationToken(ctx context.Context, t NewRegistrationToken, o ...Option) (*RegistrationToken, error) {
	return one[RegistrationToken](ctx, a, newCall(http.MethodPost, "/registration-tokens", t, o...))
}

// RemoveRegistrationToken revokes an initial access token; the clients that were registered with it stay.
func (a *API) RemoveRegistrationToken(ctx context.Context, tokenID string, o ...Option) (*RegistrationToken, error) {
	return one[RegistrationToken](ctx, a, newCall(http.MethodDelete, "/registration-tokens"+segment(tokenID), nil, o...))
}
