package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxHeader is far more than a request of a client has, a bearer token and a cookie included.
const maxHeader = 32 << 10

// Listen opens the sockets, so that Addr and AdminAddr are known before Run serves them. Run calls it if the caller did not.
func (s *Server) Listen() error {
	var err error
	if s.listener, err = net.Listen("tcp", s.cfg.Listen); err != nil {
		return fmt.Errorf("public listener: %w. Stop what uses the address, or choose another with --listen (LATCHKEY_LISTEN)", err)
	}
	if s.cfg.AdminListen == "" {
		return nil
	}
	if s.adminListener, err = net.Listen("tcp", s.cfg.AdminListen); err != nil {
		s.listener.Close()
		s.listener = nil
		return fmt.Errorf("admin listener: %w. Stop what uses the address, or choose another with --admin-listen (LATCHKEY_ADMIN_LISTEN)", err)
	}
	return nil
}

// Addr is the public address after Listen.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// AdminAddr is the operator's address after Listen; nil when there is none.
func (s *Server) AdminAddr() net.Addr {
	if s.adminListener == nil {
		return nil
	}
	return s.adminListener.Addr()
}

// Run serves until ctx ends; then it stops taking requests, lets those in flight finish within Timeouts.Shutdown and
// returns nil. If the database is unreachable at the start, it serves all the same, not ready, and starts when it can. It returns an
// error when the start failed for another reason, or a listener failed.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	failed := make(chan error, 3)
	admin := s.httpServer(context.WithoutCancel(ctx), s.admin)
	serve(admin, s.adminListener, failed)
	defer admin.Close() // last, so that readyz reports until the end that the server is not ready
	late := s.Start(ctx)
	if late != nil && (!mayPass(late) || ctx.Err() != nil) {
		s.listener.Close()
		return late
	}

	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	waitForWork := s.work(working, late, failed)
	// requests outlive ctx until the shutdown's bound.
	requests, cutRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer cutRequests()
	public := s.httpServer(requests, s.closing(s.front()))
	serve(public, s.listener, failed)
	s.logStart(ctx)

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.ready.stopping.Store(true)
	close(s.stopping)
	if err == nil {
		err = s.linger(failed)
	}
	s.shutdown(public, cutRequests)
	stopWork()
	waitForWork()
	s.audit.Flush()
	s.flushTraces()
	return err
}

// front returns what the public listener serves.
func (s *Server) front() http.Handler {
	if s.cfg.Front != nil {
		return s.cfg.Front(s.Handler())
	}
	return s.Handler()
}

// work does what no request asks for, until ctx ends. If the start failed with late, it starts first. Other servers and operators see this
// one as soon as the database answers, also while it is not ready because of its clock.
func (s *Server) work(ctx context.Context, late error, failed chan<- error) (wait func()) {
	var wg sync.WaitGroup
	note := sync.OnceFunc(func() { wg.Go(func() { s.replica.Run(ctx) }) })
	wg.Go(func() {
		if late != nil {
			err := s.startLater(ctx, late, note)
			if err != nil {
				failed <- err
			}
			if err != nil || ctx.Err() != nil {
				return
			}
			s.cfg.Logger.InfoContext(ctx, "the server is ready")
		}
		note()
		s.background(ctx)()
	})
	return wg.Wait
}

// httpServer bounds every phase of a connection: a client that is slow on purpose holds one socket for as long as the
// timeouts say, and little memory.
func (s *Server) httpServer(base context.Context, h http.Handler) *http.Server {
	t := s.cfg.Timeouts
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: t.ReadHeader,
		ReadTimeout:       t.Read,
		WriteTimeout:      t.Write,
		IdleTimeout:       t.Idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
}

func serve(server *http.Server, l net.Listener, failed chan<- error) {
	if l == nil {
		return
	}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
	}()
}

// linger goes on serving until load balancers have noticed that the server is not ready.
func (s *Server) linger(failed <-chan error) error {
	if s.cfg.ShutdownDelay <= 0 {
		return nil
	}
	s.cfg.Logger.Info("shutting down after the delay", slog.String("delay", s.cfg.ShutdownDelay.String()))
	select {
	case err := <-failed:
		return err
	case <-time.After(s.cfg.ShutdownDelay):
		return nil
	}
}

// closing makes clients and proxies open a new connection for the next request while the server shuts down: it goes elsewhere.
// Idle connections stay open during the delay, since closing one may cross a request.
func (s *Server) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.ready.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// shutdown refuses new connections, and waits for the requests in flight.
func (s *Server) shutdown(public *http.Server, cutRequests func()) {
	s.cfg.Logger.Info("shutting down", slog.String("at_most", s.cfg.Timeouts.Shutdown.String()))
	bound, cancel := context.WithTimeout(context.Background(), s.cfg.Timeouts.Shutdown)
	defer cancel()
	begin := time.Now()
	if err := public.Shutdown(bound); err != nil {
		s.cfg.Logger.Warn("requests were cut off by the shutdown", slog.Any("error", err))
		cutRequests()
		public.Close()
	}
	s.cfg.Logger.Info("stopped", slog.String("took", time.Since(begin).Round(time.Millisecond).String()))
}

func (s *Server) logStart(ctx context.Context) {
	attrs := []slog.Attr{slog.String("listen", s.Addr().String()), slog.String("issuer", s.cfg.Issuer)}
	if a := s.AdminAddr(); a != nil {
		attrs = append(attrs, slog.String("admin_listen", a.String()))
	}
	s.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "serving", attrs...)
}
