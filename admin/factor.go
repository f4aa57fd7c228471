package admin

import (
	"context"
	"net/http"
	"time"
)

// Factor is a second factor of a user, or a browser that is remembered.
type Factor struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind" doc:"totp (an authenticator app), webauthn (a passkey or security key) or browser (one in which no second factor is asked)."`
	Name      string     `json:"name" doc:"The user's name for it."`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  *time.Time `json:"last_used" doc:"null if it was not used yet."`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"When a browser is forgotten."`
}

// Factors are those of a user. Nothing in them proves a login.
type Factors struct {
	Factors       []Factor `json:"factors" nullable:"false"`
	RecoveryCodes int      `json:"recovery_codes" doc:"How many codes are left."`
}

// Factors shows the second factors of a user.
func (a *API) Factors(ctx context.Context, userID int64, o ...Option) (*Factors, error) {
	return one[Factors](ctx, a, newCall(http.MethodGet, "/users"+number(userID)+"/factors", nil, o...))
}

// RemoveFactor removes one factor of a user, and shows what is left. Unless it is a browser, the sessions of the user end.
func (a *API) RemoveFactor(ctx context.Context, userID int64, factorID string, o ...Option) (*Factors, error) {
	return one[Factors](ctx, a, newCall(http.MethodDelete, "/users"+number(userID)+"/factors"+segment(factorID), nil, o...))
}

// ResetFactors removes all factors of a user, recovery codes and remembered browsers too, and ends their sessions.
func (a *API) ResetFactors(ctx context.Context, userID int64, o ...Option) (*Factors, error) {
	return one[Factors](ctx, a, newCall(http.MethodDelete, "/users"+number(userID)+"/factors", nil, o...))
}
