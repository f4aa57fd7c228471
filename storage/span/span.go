// Package span adds child spans to a trace (OpenTelemetry): for the database and for outbound requests.
//
// The parent comes from the context. Without a recording parent, which is the case whenever tracing is off, nothing is
// recorded or allocated. Names and attributes never hold a parameter, a token or other text of a client.
package span

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Start begins a span of kind client below the span of ctx. The name is one of a fixed set; about says what is called.
func Start(ctx context.Context, name string, about attribute.KeyValue) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, noop.Span{}
	}
	return parent.TracerProvider().Tracer("latchkey").Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(about))
}

// Fail marks a span as failed. The error's text stays out of it: it is in the log.
func Fail(s trace.Span) { s.SetStatus(codes.Error, "") }
