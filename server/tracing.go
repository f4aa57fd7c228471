package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/time/rate"
)

const (
	// flushTimeout bounds how long a shutdown waits for the collector.
	flushTimeout = 5 * time.Second
	// maxTraceError bounds what is logged of a failed export, which quotes the collector's answer.
	maxTraceError = 300
)

// TraceExporter returns the exporter that OpenTelemetry's own environment variables describe (OTEL_EXPORTER_OTLP_…), or nil if they
// name no endpoint.
func TraceExporter(ctx context.Context, logger *slog.Logger) (sdktrace.SpanExporter, error) {
	on := false
	for _, prefix := range []string{"OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"} { // the second one takes precedence
		on = on || os.Getenv(prefix+"ENDPOINT") != ""
		if err := checkExporter(prefix); err != nil {
			return nil, fmt.Errorf("tracing: %w", err)
		}
	}
	if !on {
		return nil, nil
	}
	// What the exporter cannot read apart from these, such as a certificate, it only logs.
	otel.SetLogger(logr.FromSlogHandler(logger.Handler()))
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithMaxResponseSize(64<<10))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	return exporter, nil
}

// checkExporter refuses variables that the exporter would replace by a default, logging what they hold.
func checkExporter(prefix string) error {
	for name, expected := range map[string]struct {
		valid func(string) bool
		value string
	}{
		"ENDPOINT": {isHTTP, "an http or https URL, like http://collector:4318"},
		"PROTOCOL": {func(v string) bool { return v != "grpc" }, "http/protobuf, with the endpoint at the collector's HTTP port (4318): gRPC is not supported"},
		"TIMEOUT":  {isMilliseconds, "a number of milliseconds, like 10000"},
		"HEADERS":  {isHeaders, "a list of name=value, separated by commas, with special characters %-encoded"},
	} {
		if v := strings.TrimSpace(os.Getenv(prefix + name)); v != "" && !expected.valid(v) {
			return fmt.Errorf("%s must be %s", prefix+name, expected.value) // headers hold secrets: do not quote them
		}
	}
	return nil
}

func isHTTP(v string) bool {
	u, err := url.Parse(v)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

func isMilliseconds(v string) bool {
	ms, err := strconv.Atoi(v)
	return err == nil && ms > 0
}

func isHeaders(v string) bool {
	for pair := range strings.SplitSeq(v, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if _, err := url.PathUnescape(value); !ok || err != nil || !httpguts.ValidHeaderFieldName(strings.TrimSpace(name)) {
			return false
		}
	}
	return true
}

// startTracing returns the tracer of the public routes, nil if there is no exporter, and a function that sends what is left.
// Spans wait in a queue of bounded length and are dropped when it is full, so that no request waits for the collector.
func startTracing(cfg *Config) (tracer trace.Tracer, flush func()) {
	if cfg.Traces == nil {
		return nil, func() {}
	}
	about, err := resource.New(context.Background(),
		resource.WithAttributes(attribute.String("service.name", "latchkey")),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		cfg.Logger.Warn("OTEL_RESOURCE_ATTRIBUTES cannot be read in full", slog.String("error", err.Error()))
	}
	exporter := &loggingExporter{SpanExporter: cfg.Traces, logger: cfg.Logger, seldom: rate.Sometimes{Interval: time.Minute}}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return provider.Tracer("latchkey"), func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			cfg.Logger.Warn("traces were lost at shutdown", slog.String("error", traceError(err)))
		}
	}
}

// loggingExporter logs failures to send, at most once a minute: while the collector is unreachable, every batch fails.
type loggingExporter struct {
	sdktrace.SpanExporter
	logger *slog.Logger
	seldom rate.Sometimes
}

// ExportSpans implements sdktrace.SpanExporter. The spans of a batch that fails are lost.
func (e *loggingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.seldom.Do(func() { e.logger.Warn("traces could not be sent", slog.String("error", traceError(err))) })
	}
	return nil
}

func traceError(err error) string {
	text := err.Error()
	return text[:min(len(text), maxTraceError)]
}
