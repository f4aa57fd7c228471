package server

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminRoutes is what an operator and their machines ask. It belongs on an address that only they reach.
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeStatus(w, http.StatusOK, "ok", "")
	})
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.Registry, promhttp.HandlerOpts{}))
	return mux
}

// readyz reports whether the server can take requests.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if reason := s.ready.check(r.Context(), s.cfg.Store.Ping); reason != "" {
		writeStatus(w, http.StatusServiceUnavailable, "unavailable", reason)
		return
	}
	writeStatus(w, http.StatusOK, "ready", "")
}

func writeStatus(w http.ResponseWriter, status int, word, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		Status string `json:"status"`
		Reason string `json:"reason,omitempty"`
	}{word, reason})
}

const (
	// pingEvery bounds what any number of probes cost the database.
	pingEvery   = time.Second
	pingTimeout = 2 * time.Second
)

// readiness is whether the server can do its work now.
type readiness struct {
	mu       sync.Mutex
	started  bool
	stopping bool
	// pinged is when the database was asked last, and away whether it failed then. This is about the machine, not about
	// tokens, so it goes by the machine's clock.
	pinged time.Time
	away   bool
}

func (r *readiness) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = true
}

func (r *readiness) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
}

// check returns the reason why the server is not ready, or an empty string. Concurrent callers share the result of one ping.
func (r *readiness) check(ctx context.Context, ping func(context.Context) error) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.stopping:
		return "shutting down"
	case !r.started:
		return "signing keys are not loaded"
	}
	if time.Since(r.pinged) >= pingEvery {
		// The ping outlives a probe that is cancelled early, which says nothing about the database.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
		defer cancel()
		r.away = ping(ctx) != nil
		r.pinged = time.Now()
	}
	if r.away {
		return "the database is unavailable"
	}
	return ""
}
