package route

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"go.opentelemetry.io/otel/trace"

	"latchkey/server/internal/metrics"
)

// DefaultMaxBody is the default cap of request bodies, in bytes.
const DefaultMaxBody = 64 << 10

// Config configures a Router.
type Config struct {
	Logger  *slog.Logger
	Metrics *metrics.Metrics
	// Tracer records a span for each request; nil records none.
	Tracer trace.Tracer
	// TrustedProxies are the peers whose X-Forwarded-For, Forwarded and X-Request-Id headers count.
	TrustedProxies []netip.Prefix
	// AllowOrigin reports whether pages of a browser origin may read the answers of routes with [CORS]. It is not called for
	// "null". nil allows none.
	AllowOrigin func(ctx context.Context, origin string) bool
	// CredentialOrigins are those of the allowed origins whose pages may send credentials to the routes with [CORS], except those with
	// [Credentials] of their own.
	CredentialOrigins []string
	// MaxBody caps the request bodies in bytes; zero means DefaultMaxBody. Reading past the cap fails with an error that is rendered as
	// 413 if the handler returns it.
	MaxBody int64
	// Origin is the server's own origin, as in the Origin header. Its pages may send forms to the routes of [Router.Page] even if a
	// proxy rewrites the Host header. If it is empty, only pages of the request's host may.
	Origin string
	// HSTS adds Strict-Transport-Security (RFC 6797): for an issuer that is reachable by https only.
	HSTS bool
	// Available returns the error with which the routes of the classes API and Page refuse every request for now, such as before
	// the start; nil while they serve. Without the function they always serve.
	Available func() error
	// EncodedPath matches paths as they were sent, so that a variable may have an encoded slash; [Var] returns it encoded.
	EncodedPath bool
	// NotFound renders the error if no route matches; nil means a JSON object as in OAuth.
	NotFound Renderer
	// NotFoundPage renders it for browsers: GET and HEAD requests that accept text/html. nil means as for others.
	NotFoundPage Renderer
	Now          func() time.Time
}
