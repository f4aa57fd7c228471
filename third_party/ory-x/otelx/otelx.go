// Package otelx ends OpenTelemetry spans with the outcome of a function.
package otelx

import (
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// End ends span and marks it failed when *err is not nil, without the text of the error, which may quote a client's request.
// It is meant to be deferred.
func End(span trace.Span, err *error) {
	if err != nil && *err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
