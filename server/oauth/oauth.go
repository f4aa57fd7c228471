package oauth

import (
	"context"
	"sync/atomic"
	"time"

	"latchkey/clients"
	"latchkey/clients/registry"
	"latchkey/server/authorize"
	"latchkey/server/claims"
	"latchkey/server/dpop"
	"latchkey/server/flow"
	"latchkey/server/internal/audit"
	"latchkey/server/internal/seal"
	"latchkey/server/keys"
	"latchkey/server/session"
	"latchkey/server/token"
	"latchkey/server/web"
	"latchkey/server/web/look"
	"latchkey/storage"
)

// Config is what the handlers work with.
type Config struct {
	Tokens   *token.Service
	Proofs   *dpop.Checker
	Requests *authorize.Service
	Keys     *keys.Ring
	Clients  *registry.Registry
	Sessions *session.Manager
	Audit    *audit.Log
	Pages    *web.Pages
	Paths    flow.Paths
	// Look returns how pages for a client look.
	Look func(*clients.Client) look.Client
	// Sealer seals what browsers carry.
	Sealer *seal.Sealer
	// Issuer is the issuer identifier, without a slash at its end.
	Issuer string
	// Registration is one of the Registration constants. RegistrationKey makes the keys of Throttles, which limit
	// unauthenticated registrations: to RegistrationPerNetwork in an hour from one network, 20 if it is zero.
	Registration           string
	RegistrationKey        []byte
	RegistrationPerNetwork int
	Throttles              storage.Throttles
	Now                    func() time.Time
	// ClientDocuments: the metadata document at a client's own URL makes it a client.
	ClientDocuments bool
	// Locales are those of the pages.
	Locales []string
	// ACRs are the values of acr that logins here can have.
	ACRs []string
	// Claims are those about users; nil means the standard ones.
	Claims *claims.Catalog
	// Scopes returns the scopes for the metadata documents; nil if they list none.
	Scopes func(ctx context.Context) ([]string, error)
}

// Handlers are the endpoints. Each method with the signature of a route.Handler is one of them; [RenderError] words
// their errors.
type Handlers struct {
	cfg Config

	document atomic.Pointer[document]
	keySet   atomic.Pointer[cacheable] // what was written last
}

// New makes the handlers.
func New(c Config) *Handlers {
	if c.Claims == nil {
		c.Claims = claims.Standard()
	}
	if c.Scopes == nil {
		c.Scopes = func(context.Context) ([]string, error) { return nil, nil }
	}
	return &Handlers{cfg: c}
}

// document is the metadata document that was written last.
type document struct {
	scopes []string
	*cacheable
}
