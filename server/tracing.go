package server

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
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
	if err := checkSDK(); err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	// What the exporter cannot read apart from these, such as a certificate, it only logs.
	otel.SetLogger(logr.FromSlogHandler(logger.Handler()))
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithMaxResponseSize(64<<10))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	return exporter, nil
}

// expectation is what a variable must be if it is set.
type expectation struct {
	valid func(string) bool
	value string
}

// checkExporter refuses variables that the exporter would replace by a default, logging what they hold.
func checkExporter(prefix string) error {
	return checkEnvironment(prefix, map[string]expectation{
		"ENDPOINT": {isHTTP, "an http or https URL, like http://collector:4318"},
		"PROTOCOL": {func(v string) bool { return v != "grpc" }, "http/protobuf, with the endpoint at the collector's HTTP port (4318): gRPC is not supported"},
		"TIMEOUT":  {isMilliseconds, "a number of milliseconds, like 10000"},
		"HEADERS":  {isHeaders, "a list of name=value, separated by commas, with special characters %-encoded"},
	})
}

// checkSDK refuses variables with which OpenTelemetry's SDK panics, or which it would replace by a default without the log.
func checkSDK() error {
	count := expectation{isSpanCount, "a number of spans from 1 to 1000000"}
	delay := expectation{isMilliseconds, "a number of milliseconds, like 5000"}
	ratio := expectation{isRatio, "a number from 0 to 1, like 0.1"}
	return checkEnvironment("OTEL_", map[string]expectation{
		"BSP_MAX_QUEUE_SIZE": count, "BSP_MAX_EXPORT_BATCH_SIZE": count, "BSP_SCHEDULE_DELAY": delay, "BSP_EXPORT_TIMEOUT": delay,
		"TRACES_SAMPLER": {isSampler, "one of " + strings.Join(samplers, ", ")}, "TRACES_SAMPLER_ARG": ratio,
	})
}

// samplers are those that OpenTelemetry's SDK knows.
var samplers = []string{
	"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
}

func checkEnvironment(prefix string, expectations map[string]expectation) error {
	for _, name := range slices.Sorted(maps.Keys(expectations)) {
		expected := expectations[name]
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

// isSpanCount bounds what is allocated at the start.
func isSpanCount(v string) bool {
	n, err := strconv.Atoi(v)
	return err == nil && n > 0 && n <= 1_000_000
}

func isSampler(v string) bool { return slices.Contains(samplers, strings.ToLower(v)) }

func isRatio(v string) bool {
	r, err := strconv.ParseFloat(v, 64)
	return err == nil && r >= 0 && r <= 1
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
