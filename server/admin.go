package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"latchkey/server/protocol"
)

// adminRoutes is what an operator and their machines ask. It belongs on an address that only they reach.
func (s *Server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeStatus(w, http.StatusOK, "ok", "")
	})
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /servez", s.servez)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.Registry, promhttp.HandlerOpts{}))
	return s.withOperatorAPI(AdminAPIAdmin, mux)
}

// readyz reports whether the server can take requests.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if reason := s.ready.check(r.Context(), s.ask); reason != "" {
		writeStatus(w, http.StatusServiceUnavailable, "unavailable", reason)
		return
	}
	writeStatus(w, http.StatusOK, "ready", "")
}

// degradedHeader names what is missing in an answer of /servez.
const degradedHeader = "X-Latchkey-Degraded"

// servez reports whether the server answers requests at all: with a database that is unreachable it serves the key set and the
// metadata documents, and 503 with Retry-After for the rest, which is more than a load balancer without servers can say.
func (s *Server) servez(w http.ResponseWriter, r *http.Request) {
	switch reason := s.ready.check(r.Context(), s.ask); {
	case reason == "":
		writeStatus(w, http.StatusOK, "ready", "")
	case s.ready.stopping.Load():
		writeStatus(w, http.StatusServiceUnavailable, "unavailable", reason)
	default:
		w.Header().Set(degradedHeader, "database")
		if s.clock.err() != nil {
			w.Header().Set(degradedHeader, "clock")
		}
		writeStatus(w, http.StatusOK, "degraded", reason)
	}
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

// ask asks the database whether it works, and what time it is.
func (s *Server) ask(ctx context.Context) error {
	err := s.cfg.Store.Ping(ctx)
	if err == nil {
		_, err = s.clock.earlier(ctx)
	}
	// The time-out is the probe's own: a database that does not answer it is an outage, too.
	s.outages.Note(context.WithoutCancel(ctx), err)
	return err
}

// available returns the error of requests while they must not be served: before the start is through, and while the clock is
// wrong. By a clock that is ahead sessions and tokens have ended, and clients that get such an answer log their users out.
func (s *Server) available() error {
	if !s.ready.started.Load() {
		return protocol.NotReady(errors.New("the server has not started yet"))
	}
	if err := s.clock.err(); err != nil {
		return protocol.NotReady(err)
	}
	return nil
}
