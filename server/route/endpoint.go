package route

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"latchkey/server/internal/request"
	"latchkey/storage/failpoint"
)

type class int

const (
	classAPI class = iota
	classPublic
	classPage
)

// Handler answers a request, or returns an error that the route's Renderer writes. If it has written something already, the error is
// only logged.
type Handler func(w http.ResponseWriter, r *http.Request) error

// shared is what the routes of a Router have in common.
type shared struct {
	cfg         Config
	proxies     proxies
	crossOrigin *http.CrossOriginProtection
}

// endpoint is one route with everything that its class does around the handler.
type endpoint struct {
	*shared
	template string
	class    class
	handle   Handler
	render   Renderer
	methods  []string // nil = all reach the handler
	// withoutHead takes HEAD out of methods.
	withoutHead bool
	cors        corsPolicy
	// allowCrossSite lets pages of other sites send unsafe requests.
	allowCrossSite bool
	maxBody        int64
	duration       prometheus.Observer
	counted        sync.Map // outcome to prometheus.Counter
}

// statusClientGone is logged and counted if the client disconnected before the answer, as in nginx. It is never sent.
const statusClientGone = 499

// ServeHTTP handles a request of the route.
func (e *endpoint) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	start := e.cfg.Now()
	info := e.proxies.info(r)
	r = r.WithContext(startSpan(request.With(r.Context(), info), e.cfg.Tracer, e.template, r))
	w := &writer{ResponseWriter: rw}
	origin := e.cors.allowedOrigin(r, e.cfg.AllowOrigin)
	e.setHeaders(w.Header(), r, info, origin)

	var err error
	defer func() { e.finish(r, w, info, start, err) }()
	switch {
	case e.cors.mode != corsNone && isPreflight(r):
		e.cors.preflight(w, r, origin)
		return
	case e.methods != nil && !slices.Contains(e.methods, r.Method):
		// RFC 9110 §15.5.6: a 405 must say what would be allowed.
		w.Header().Set("Allow", strings.Join(e.methods, ", "))
		err = &Error{Status: http.StatusMethodNotAllowed, Message: "Use " + strings.Join(e.methods, " or ") + "."}
		e.refuse(w, r, err)
		return
	}
	if err = e.admit(r); err != nil {
		e.refuse(w, r, err)
		return
	}
	b := capBody(w, r, e.maxBody)
	err = e.run(w, r)
	if err == nil {
		failpoint.Answered(w, e.template)
		return
	}
	err = b.explain(err)
	switch {
	case err == http.ErrAbortHandler, w.started() && isPanic(err):
		// Part of the answer is sent. Closing the connection is the only way left to mark it as incomplete.
		panic(http.ErrAbortHandler)
	case w.started():
		return
	}
	if isPanic(err) {
		clear(w.Header())
		e.setHeaders(w.Header(), r, info, origin)
	}
	e.refuse(w, r, err)
}

// admit returns the error of a request that must not reach the handler. What is the same for everybody is served as long as
// the handler can.
func (e *endpoint) admit(r *http.Request) error {
	if e.class != classPublic && e.template != Unmatched {
		if err := e.cfg.Available(); err != nil {
			return err
		}
	}
	return e.checkOrigin(r)
}

// checkOrigin returns an error for an unsafe request from a page of another site: cross-site request forgery (RFC 9700 §4.7).
//
// Browsers send the origin of a request in Sec-Fetch-Site, older ones in Origin. A request with neither is not from a browser, so its
// cookies are those of the sender itself.
func (e *endpoint) checkOrigin(r *http.Request) error {
	if e.class != classPage || e.allowCrossSite {
		return nil
	}
	if err := e.crossOrigin.Check(r); err != nil {
		return &Error{Status: http.StatusForbidden, Message: "A page of another site sent this form.", cause: err}
	}
	return nil
}

// run calls the handler and turns a panic into an error.
func (e *endpoint) run(w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler: // the handler aborts the request on purpose
			err = http.ErrAbortHandler
		default:
			err = &Error{
				Status: http.StatusInternalServerError, Message: "The server failed. The request ID identifies the log entry.",
				cause: &panicError{value: v, stack: debug.Stack()},
			}
		}
	}()
	return e.handle(w, r)
}

// refuse renders the error, which must not be cached.
func (e *endpoint) refuse(w *writer, r *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Del("ETag")
	e.render(w, r, err)
}

// The values of headers that most answers have. All answers share them: setting such a header replaces the slice, and adding to it
// makes a copy, since it has no room.
var (
	noSniff   = []string{"nosniff"}
	noContent = []string{contentSecurityPolicy}
	oneYear   = []string{"max-age=31536000"}
	noStore   = []string{"no-store"}
	noCache   = []string{"no-cache"}
)

// setHeaders sets the headers of all answers of the class. A ninth header makes net/http grow the map and its copy, 4 to 8 % of the CPU time
// of a public document: what means something for documents only is set for pages.
func (e *endpoint) setHeaders(h http.Header, r *http.Request, info *request.Info, origin string) {
	h["X-Request-Id"] = []string{info.ID}
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = noContent
	if e.cfg.HSTS {
		h["Strict-Transport-Security"] = oneYear
	}
	switch e.class {
	case classAPI:
		// RFC 6749 §5.1 asks for both.
		h["Cache-Control"] = noStore
		h["Pragma"] = noCache
	case classPage:
		setPageHeaders(h, r)
	}
	e.cors.setHeaders(h, origin)
}

// finish writes the log event of the request and counts it.
func (e *endpoint) finish(r *http.Request, w *writer, info *request.Info, start time.Time, err error) {
	took := e.cfg.Now().Sub(start)
	status := w.status
	if status == 0 {
		status = http.StatusOK // what net/http sends for a handler that wrote nothing
	}
	if err != nil && errors.Is(r.Context().Err(), context.Canceled) {
		status = statusClientGone
	}
	method := methodLabel(r.Method)
	e.counter(method, status).Inc()
	e.duration.Observe(took.Seconds())
	traceID := endSpan(r.Context(), status)
	if !e.cfg.Logger.Enabled(r.Context(), level(status, err)) {
		return
	}

	attrs := append([]slog.Attr{
		slog.String("method", method),
		slog.String("route", e.template), // never the path or the query: tokens may be there
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", w.bytes),
		slog.String("request_id", info.ID),
		slog.String("client_address", info.Address.String()),
	}, info.Event.Attrs()...)
	if traceID != "" {
		attrs = append(attrs, slog.String("trace_id", traceID))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	var p *panicError
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.stack)))
	}
	e.cfg.Logger.LogAttrs(r.Context(), level(status, err), "request", attrs...)
}

// outcome is what the requests of a route are counted by.
type outcome struct {
	method string
	status int
}

// counter returns the counter of an outcome, which is looked up by its labels once.
func (e *endpoint) counter(method string, status int) prometheus.Counter {
	key := outcome{method, status}
	if c, ok := e.counted.Load(key); ok {
		return c.(prometheus.Counter)
	}
	c := e.cfg.Metrics.Requests.WithLabelValues(e.template, method, strconv.Itoa(status))
	e.counted.Store(key, c)
	return c
}

// level returns the log level: Error only if an operator must act. Readiness and metrics already show an overload or an unreachable
// database, and attackers choose how often requests are refused.
func level(status int, err error) slog.Level {
	switch {
	case isPanic(err), status == http.StatusInternalServerError:
		return slog.LevelError
	case status > http.StatusInternalServerError:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// panicError is what a handler panicked with.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func isPanic(err error) bool {
	var p *panicError
	return errors.As(err, &p)
}

// writer records the status and the size of the answer.
type writer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *writer) started() bool { return w.status != 0 }

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 { // 1xx is followed by the real one
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Unmatched is the route template under which requests without a matching route are logged and counted. Their path is not logged,
// since it may contain a token.
const Unmatched = "unmatched"
