package admin

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// Consent is what a user has allowed a client.
type Consent struct {
	UserID    int64     `json:"user_id"`
	ClientID  string    `json:"client_id"`
	Scope     []string  `json:"scope" nullable:"false"`
	Audience  []string  `json:"audience" nullable:"false" doc:"The resources that it was allowed for; empty if none was named."`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// ConsentFilter selects consents; zero fields select all.
type ConsentFilter struct {
	UserID   int64
	ClientID string
}

// Consents lists consents by user and client.
func (a *API) Consents(ctx context.Context, f ConsentFilter) iter.Seq2[Consent, error] {
	return list[Consent](ctx, a, "/consents", filters("user_id", id(f.UserID), "client_id", f.ClientID))
}

// EndConsent takes back what a user has allowed a client, and ends the user's sessions there.
func (a *API) EndConsent(ctx context.Context, userID int64, clientID string, o ...Option) (*Ended, error) {
	return one[Ended](ctx, a, newCall(http.MethodDelete, "/users"+number(userID)+"/consents"+segment(clientID), nil, o...))
}
