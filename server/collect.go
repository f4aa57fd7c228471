package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"latchkey/clients/registry"
	"latchkey/server/internal/metrics"
	"latchkey/storage"
)

// cleaning are the instruments of the background work.
type cleaning struct {
	removed *prometheus.CounterVec
	last    prometheus.Gauge
}

// registerParts adds the metrics that are about the parts rather than about requests.
func registerParts(m *metrics.Metrics, store storage.Store, clients *registry.Registry, throttled bool) *cleaning {
	throttle := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "latchkey_login_throttle_enabled", Help: "1 when guessing of passwords is limited, 0 when --login-throttle is off.",
	})
	if throttled {
		throttle.Set(1)
	}
	c := &cleaning{
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "latchkey_maintenance_removed_total", Help: "Rows that had ended and were removed, by kind.",
		}, []string{"kind"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "latchkey_maintenance_last_success_timestamp_seconds", Help: "When the background cleaning last went through.",
		}),
	}
	m.Registry.MustRegister(throttle, c.removed, c.last)
	m.Registry.MustRegister(stateMetrics(store.Stats, clients.Stats)...)
	return c
}

// count counts what one call of Maintain removed.
func (c *cleaning) count(m storage.Maintenance) {
	for kind, n := range map[string]int64{
		"grants": m.Grants, "revoked_tokens": m.RevokedTokens, "issued_tokens": m.IssuedTokens, "throttles": m.Throttles,
		"browser_sessions": m.BrowserSessions, "authorization_codes": m.AuthorizationCodes, "device_codes": m.DeviceCodes, "used_jtis": m.UsedJTIs,
		"idempotency_keys": m.IdempotencyKeys, "factors": m.Factors, "outbox": m.OutboxMessages, "account_tokens": m.AccountTokens,
		"pushed_requests": m.PushedRequests, "logout_notices": m.LogoutNotices, "registration_tokens": m.RegistrationTokens,
		"clients": m.Clients, "undelivered_letters": m.UndeliveredLetters,
	} {
		c.removed.WithLabelValues(kind).Add(float64(n))
	}
}

// stateMetrics are those of the connections and of the client cache, which are read when they are asked for.
func stateMetrics(pool func() storage.PoolStats, cache func() registry.CacheStats) []prometheus.Collector {
	connections := func(state string, read func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "latchkey_database_connections", Help: "Connections to the database by state: max, in_use, idle.",
			ConstLabels: prometheus.Labels{"state": state},
		}, func() float64 { return float64(read()) })
	}
	counter := func(name, help string, read func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read)
	}
	return []prometheus.Collector{
		connections("max", func() int { return pool().Max }),
		connections("in_use", func() int { return pool().InUse }),
		connections("idle", func() int { return pool().Idle }),
		counter("latchkey_database_waits_total", "Statements that had to wait for a connection.",
			func() float64 { return float64(pool().Waits) }),
		counter("latchkey_database_wait_seconds_total", "Time that statements waited for a connection.",
			func() float64 { return pool().WaitTime.Seconds() }),
		counter("latchkey_database_statements_total", "Statements and batches sent to Postgres.",
			func() float64 { return float64(pool().Statements) }),
		counter("latchkey_database_shared_statements_total",
			"Statements that answered several requests at once; latchkey_database_shared_calls_total / this is the size of a batch.",
			func() float64 { return float64(pool().SharedStatements) }),
		counter("latchkey_database_shared_calls_total", "Calls that shared a statement with others.",
			func() float64 { return float64(pool().SharedCalls) }),
		counter("latchkey_database_shared_wait_seconds_total", "Time that calls waited for the statement under way.",
			func() float64 { return pool().SharedWait.Seconds() }),
		counter("latchkey_client_cache_hits_total", "Clients found in the cache.", func() float64 { return float64(cache().Hits) }),
		counter("latchkey_client_cache_misses_total", "Clients that were not in the cache.", func() float64 { return float64(cache().Misses) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "latchkey_client_cache_size", Help: "Clients in the cache."},
			func() float64 { return float64(cache().Size) }),
	}
}
