package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"latchkey/server/internal/otlp"
)

// traced wraps the handler with spans when the environment names an OTLP endpoint (OpenTelemetry's own variables);
// otherwise it gives back the handler itself. flush sends what is left.
func (s *Server) traced(ctx context.Context, next http.Handler) (h http.Handler, flush func(), err error) {
	exporter, err := otlp.FromEnv(os.Getenv)
	if err != nil {
		return nil, nil, fmt.Errorf("tracing: %w", err)
	}
	if exporter == nil {
		return next, func() {}, nil
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
	return s.spans(provider.Tracer("latchkey/server"), next), flush, nil
}

// spans records a span for each request, by OpenTelemetry's semantic conventions for HTTP servers. Of the request it tells
// the method and the route: path, query, headers and body may hold a secret.
func (s *Server) spans(tracer trace.Tracer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithNewRoot()}
		// A stranger's trace must not decide whether ours is sampled, nor take it over: it is only linked.
		theirs := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
		if theirs.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: theirs}))
		}
		method, route := knownMethod(r.Method), s.router.Template(r)
		ctx, span := tracer.Start(r.Context(), method+" "+route, options...)
		defer span.End()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r.WithContext(ctx))
		span.SetAttributes(
			attribute.String("http.request.method", method), attribute.String("http.route", route),
			attribute.Int("http.response.status_code", seen.status))
		if seen.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	})
}

// knownMethod keeps the text that a stranger chose out of names.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return method
	}
	return "_OTHER"
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
