package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// traced wraps the handler with spans when the environment names an OTLP endpoint (OpenTelemetry's own variables);
// otherwise it gives back the handler itself. flush sends what is left.
func (s *Server) traced(ctx context.Context, next http.Handler) (h http.Handler, flush func(), err error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return next, func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("tracing: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "latchkey")),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, nil, fmt.Errorf("tracing: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		s.cfg.Logger.Warn("tracing failed", slog.Any("error", err))
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	flush = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			s.cfg.Logger.Warn("traces were lost at shutdown", slog.Any("error", err))
		}
	}
	return s.spans(provider, next), flush, nil
}

// spans records a span for each request.
//
// otelhttp writes the path and headers of a request into its span, and a path may hold a token that a client put there
// by mistake. So it sees a request without them, and the name of the route instead; the handler sees the real one.
func (s *Server) spans(provider *sdktrace.TracerProvider, next http.Handler) http.Handler {
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		real := r.Context().Value(realRequest{}).(*http.Request)
		r.Pattern = s.router.Template(real) // otelhttp reads it after the handler
		r2 := real.WithContext(r.Context())
		r2.Body = r.Body
		next.ServeHTTP(w, r2)
	})
	traced := otelhttp.NewHandler(inner, "",
		otelhttp.WithTracerProvider(provider),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		// A stranger's trace must not decide whether ours is sampled, nor take it over: it is only linked.
		otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }),
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bare := r.WithContext(context.WithValue(r.Context(), realRequest{}, r))
		bare.URL = &url.URL{}
		bare.Header = http.Header{}
		for _, name := range []string{"Traceparent", "Tracestate"} {
			if v := r.Header.Values(name); len(v) > 0 {
				bare.Header[name] = v
			}
		}
		traced.ServeHTTP(w, bare)
	})
}

type realRequest struct{}
