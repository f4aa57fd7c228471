// Package metrics defines the Prometheus metrics of the server.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
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
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_http_requests_total", Help: "Finished HTTP requests.",
		}, []string{"route", "method", "status"}),
		Duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "latchkey_http_request_duration_seconds", Help: "Time from the request's headers to the end of the response.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route"}),
		Tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_token_requests_total", Help: "Token requests by grant type and outcome.",
		}, []string{"grant_type", "outcome"}),
		Refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_refresh_verdicts_total", Help: "Refresh tokens presented, by rotation policy and verdict.",
		}, []string{"policy", "verdict"}),
		Logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_logins_total", Help: "Password checks by outcome.",
		}, []string{"outcome"}),
		PasswordQueue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "latchkey_password_queue_length", Help: "Password checks that wait for a worker.",
		}),
		PasswordWait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "latchkey_password_queue_seconds", Help: "Time that a password check waited for a worker.",
			Buckets: []float64{.001, .005, .01, .05, .1, .25, .5, 1},
		}),
		Audit: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_audit_events_total", Help: "Audit events by name.",
		}, []string{"action"}),
		AuditSuppressed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_audit_suppressed_total", Help: "Audit events beyond the limits, which were counted but not written, by name.",
		}, []string{"action"}),
		BackchannelLogouts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_backchannel_logout_total", Help: "Attempts to notify a client of a logout, by outcome.",
		}, []string{"outcome"}),
		OutboxAttempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_outbox_attempts_total", Help: "Attempts to send a message, by kind (mail) and outcome: sent, retried, refused, expired.",
		}, []string{"kind", "outcome"}),
		OutboxWaiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "latchkey_outbox_waiting", Help: "Messages that have yet to be sent, by kind.",
		}, []string{"kind"}),
		OutboxAge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "latchkey_outbox_oldest_seconds", Help: "How long the oldest message that has yet to be sent waits, by kind.",
		}, []string{"kind"}),
		OutboxUndelivered: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "latchkey_outbox_undelivered", Help: "Messages that were abandoned and that operators have neither sent again nor dismissed, by kind (mail); at most 1000.",
		}, []string{"kind"}),
	}
	m.Registry.MustRegister(
		m.Requests, m.Duration, m.Tokens, m.Refreshes, m.Logins, m.PasswordQueue, m.PasswordWait, m.Audit, m.AuditSuppressed,
		m.BackchannelLogouts, m.OutboxAttempts, m.OutboxWaiting, m.OutboxAge, m.OutboxUndelivered,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}
