// Package metrics defines the Prometheus metrics of the server.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics holds every instrument; New registers them in a registry of their own.
type Metrics struct {
	Registry *prometheus.Registry

	// Requests counts finished requests by route, method and status code.
	Requests *prometheus.CounterVec
	// Duration observes the seconds of a request by route.
	Duration *prometheus.HistogramVec
	// Tokens counts exchanges by grant type and outcome ("issued" or the error code).
	Tokens *prometheus.CounterVec
	// Refreshes counts judged refresh tokens by policy and verdict (see server/token).
	Refreshes *prometheus.CounterVec
	// Logins counts password checks by outcome: success, failure, throttled, overload.
	Logins *prometheus.CounterVec
	// PasswordQueue is how many password checks wait for a worker now.
	PasswordQueue prometheus.Gauge
	// PasswordWait observes how long a password check waited for a worker, in seconds.
	PasswordWait prometheus.Histogram
	// Audit counts the audit events of logins and tokens that were written, by action.
	Audit *prometheus.CounterVec
	// AuditSuppressed counts the audit events that were not written because there were too many like them, by action.
	AuditSuppressed *prometheus.CounterVec
	// BackchannelLogouts counts attempts to notify a client of a logout, by outcome (see server/backchannel).
	BackchannelLogouts *prometheus.CounterVec
	// OutboxAttempts counts attempts to send a message by kind and outcome, OutboxWaiting those that have yet to be sent, and OutboxAge is
	// how long the oldest of them waits, in seconds (see server/internal/outbox).
	OutboxAttempts           *prometheus.CounterVec
	OutboxWaiting, OutboxAge *prometheus.GaugeVec
	// OutboxUndelivered is how many messages of a kind were abandoned and are kept for operators.
	OutboxUndelivered *prometheus.GaugeVec
}

// New returns the instruments.
func New() *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(registry)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	byKind := func(name, help string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"kind"})
	}
	return &Metrics{
		Registry: registry,
		Requests: counter("latchkey_http_requests_total", "Finished HTTP requests.", "route", "method", "status"),
		Duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "latchkey_http_request_duration_seconds", Help: "Time from the request's headers to the end of the response.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route"}),
		Tokens:    counter("latchkey_token_requests_total", "Token requests by grant type and outcome.", "grant_type", "outcome"),
		Refreshes: counter("latchkey_refresh_verdicts_total", "Refresh tokens presented, by rotation policy and verdict.", "policy", "verdict"),
		Logins:    counter("latchkey_logins_total", "Password checks by outcome.", "outcome"),
		PasswordQueue: f.NewGauge(prometheus.GaugeOpts{
			Name: "latchkey_password_queue_length", Help: "Password checks that wait for a worker.",
		}),
		PasswordWait: f.NewHistogram(prometheus.HistogramOpts{
			Name: "latchkey_password_queue_seconds", Help: "Time that a password check waited for a worker.",
			Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1},
		}),
		Audit: counter("latchkey_audit_events_total", "Audit events by name.", "action"),
		AuditSuppressed: counter("latchkey_audit_suppressed_total",
			"Audit events beyond the limits, which were counted but not written, by name.", "action"),
		BackchannelLogouts: counter("latchkey_backchannel_logout_total", "Attempts to notify a client of a logout, by outcome.", "outcome"),
		OutboxAttempts: counter("latchkey_outbox_attempts_total",
			"Attempts to send a message, by kind (mail) and outcome: sent, retried, refused, expired.", "kind", "outcome"),
		OutboxWaiting: byKind("latchkey_outbox_waiting", "Messages that have yet to be sent, by kind."),
		OutboxAge:     byKind("latchkey_outbox_oldest_seconds", "How long the oldest message that has yet to be sent waits, by kind."),
		OutboxUndelivered: byKind("latchkey_outbox_undelivered",
			"Messages that were abandoned and that operators have neither sent again nor dismissed, by kind (mail); at most 1000."),
	}
}
