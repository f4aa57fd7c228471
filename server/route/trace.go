package route

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// otherMethod is the label of methods that HTTP does not define.
const otherMethod = "other"

// methodLabel keeps the number of metrics bounded, whatever methods clients invent.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return otherMethod
}

// startSpan begins the span of a request, by OpenTelemetry's semantic conventions for HTTP servers. It continues the trace of the
// request's traceparent header, with its decision whether to sample. The method and the route are all that a span knows of
// the request: path, query, other headers (tracestate too) and body may hold a secret.
func startSpan(ctx context.Context, tracer trace.Tracer, template string, r *http.Request) context.Context {
	if tracer == nil {
		return ctx
	}
	parent := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header)))
	if parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent.WithTraceState(trace.TraceState{}))
	}
	method := methodLabel(r.Method)
	if method == otherMethod {
		method = "_OTHER"
	}
	ctx, _ = tracer.Start(ctx, method+" "+template, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", template)))
	return ctx
}

// endSpan ends the span of a request and returns the id of its trace, which is empty if there is none.
func endSpan(ctx context.Context, status int) string {
	span := trace.SpanFromContext(ctx)
	if !span.SpanContext().IsValid() {
		return ""
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
	return span.SpanContext().TraceID().String()
}
