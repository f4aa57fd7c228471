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
	m.Registry.MustRegister(throttle, c.removed, c.last, newStateCollector(store.Stats, clients.Stats))
	return c
}

// count counts what one call of Maintain removed.
func (c *cleaning) count(m storage.Maintenance) {
	for kind, n := range map[string]int64{
		"grants": m.Grants, "revoked_tokens": m.RevokedTokens, "throttles": m.Throttles,
		"browser_sessions": m.BrowserSessions, "authorization_codes": m.AuthorizationCodes, "used_jtis": m.UsedJTIs,
		"pushed_requests": m.PushedRequests, "logout_notices": m.LogoutNotices, "registration_tokens": m.RegistrationTokens,
		"clients": m.Clients,
	} {
		c.removed.WithLabelValues(kind).Add(float64(n))
	}
}

// stateCollector reads the state of the connections and of the client cache when it is asked.
type stateCollector struct {
	pool  func() storage.PoolStats
	cache func() registry.CacheStats

	connections, waits, waitTime, hits, misses, size      *prometheus.Desc
	statements, sharedStatements, sharedCalls, sharedWait *prometheus.Desc
}

func newStateCollector(pool func() storage.PoolStats, cache func() registry.CacheStats) *stateCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &stateCollector{
		pool: pool, cache: cache,
		connections: desc("latchkey_database_connections", "Connections to the database by state: max, in_use, idle.", "state"),
		waits:       desc("latchkey_database_waits_total", "Statements that had to wait for a connection."),
		waitTime:    desc("latchkey_database_wait_seconds_total", "Time that statements waited for a connection."),
		statements:  desc("latchkey_database_statements_total", "Statements and batches sent to Postgres."),
		sharedStatements: desc("latchkey_database_shared_statements_total",
			"Statements that answered several requests at once; latchkey_database_shared_calls_total / this is the size of a batch."),
		sharedCalls: desc("latchkey_database_shared_calls_total", "Calls that shared a statement with others."),
		sharedWait:  desc("latchkey_database_shared_wait_seconds_total", "Time that calls waited for the statement under way."),
		hits:        desc("latchkey_client_cache_hits_total", "Clients found in the cache."),
		misses:      desc("latchkey_client_cache_misses_total", "Clients that were not in the cache."),
		size:        desc("latchkey_client_cache_size", "Clients in the cache."),
	}
}

// Describe sends the descriptions of the metrics.
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connections, c.waits, c.waitTime, c.hits, c.misses, c.size, c.statements, c.sharedStatements, c.sharedCalls, c.sharedWait} {
		ch <- d
	}
}

// Collect sends the metrics.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	p := c.pool()
	gauge(c.connections, p.Max, "max")
	gauge(c.connections, p.InUse, "in_use")
	gauge(c.connections, p.Idle, "idle")
	counter(c.waits, float64(p.Waits))
	counter(c.waitTime, p.WaitTime.Seconds())
	counter(c.statements, float64(p.Statements))
	counter(c.sharedStatements, float64(p.SharedStatements))
	counter(c.sharedCalls, float64(p.SharedCalls))
	counter(c.sharedWait, p.SharedWait.Seconds())
	s := c.cache()
	counter(c.hits, float64(s.Hits))
	counter(c.misses, float64(s.Misses))
	gauge(c.size, s.Size)
}
