package oauth

import (
	"context"

	"latchkey/server/keys"
	"latchkey/server/token"
)

// Config is what the handlers work with.
type Config struct {
	Tokens *token.Service
	Keys   *keys.Ring
	// Issuer is the issuer identifier, without a slash at its end.
	Issuer string
	// Scopes gives the scopes that the metadata documents name; nil names none.
	Scopes func(ctx context.Context) ([]string, error)
}

// Handlers are the endpoints. Each method with the signature of a route.Handler is one of them; [RenderError] words
// their errors.
type Handlers struct {
	tokens *token.Service
	keys   *keys.Ring
	issuer string
	scopes func(ctx context.Context) ([]string, error)
}

// New makes the handlers.
func New(c Config) *Handlers {
	if c.Scopes == nil {
		c.Scopes = func(context.Context) ([]string, error) { return nil, nil }
	}
	return &Handlers{tokens: c.Tokens, keys: c.Keys, issuer: c.Issuer, scopes: c.Scopes}
}
