package server_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"latchkey/clients"
	"latchkey/server"
	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/testclock"
	"latchkey/storage/teststore"
)

// collector receives what an OTLP exporter sends, as OpenTelemetry's collector does.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	raw   bytes.Buffer
	spans []*tracepb.Span
	names []string // service.name of each batch
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var batch coltracepb.ExportTraceServiceRequest
		if r.Header.Get("Content-Type") != "application/x-protobuf" || err != nil || proto.Unmarshal(body, &batch) != nil {
			t.Errorf("not a batch of spans: %v, %v, %q", r.Header, err, body)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.Write(body)
		for _, rs := range batch.ResourceSpans {
			for _, a := range rs.Resource.Attributes {
				if a.Key == "service.name" {
					c.names = append(c.names, a.Value.GetStringValue())
				}
			}
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// exporter sends to the collector.
func (c *collector) exporter(t *testing.T) sdktrace.SpanExporter {
	t.Helper()
	e, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(c.URL+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// named returns the only span of that name.
func (c *collector) named(t *testing.T, name string) *tracepb.Span {
	t.Helper()
	var found []*tracepb.Span
	for _, s := range c.spans {
		if s.Name == name {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans %q among %s, want one", len(found), name, c.list())
	}
	return found[0]
}

// below returns the spans that have the root among their ancestors.
func (c *collector) below(root *tracepb.Span) (list []*tracepb.Span) {
	for _, s := range c.spans {
		if bytes.Equal(s.ParentSpanId, root.SpanId) && bytes.Equal(s.TraceId, root.TraceId) {
			list = append(append(list, s), c.below(s)...)
		}
	}
	return list
}

func (c *collector) list() string {
	var names []string
	for _, s := range c.spans {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// hides fails the test if anything of a text was sent.
func (c *collector) hides(t *testing.T, secrets ...string) {
	t.Helper()
	if c.raw.Len() == 0 {
		t.Error("no spans were sent")
	}
	for _, secret := range secrets {
		if secret == "" || bytes.Contains(c.raw.Bytes(), []byte(secret)) {
			t.Errorf("the spans hold %q", secret)
		}
	}
}

func attribute(s *tracepb.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if text := a.Value.GetStringValue(); text != "" {
				return text
			}
			text, _ := json.Marshal(a.Value.GetIntValue())
			return string(text)
		}
	}
	return ""
}

// end stops the server, which flushes its spans.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	r.wait(t, time.Minute)
}

// post sends JSON and returns the members of the answer.
func (r *running) post(t *testing.T, path string, body map[string]string) (answer map[string]string) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+r.public+path, "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %s, %v\n%s", path, resp.Status, err, r.log)
	}
	return answer
}

func TestARefreshIsTracedDownToTheDatabase(t *testing.T) {
	t.Parallel()
	teststore.Each(t, func(t *testing.T, open func(testing.TB) storage.Store) {
		c := newCollector(t)
		r := run(t, func(cfg *server.Config) {
			cfg.Now = func() time.Time { return testclock.Epoch } // the store was opened then, with the partitions of that time
			cfg.Store, cfg.Traces = teststore.Clocked(open(t), cfg.Now), c.exporter(t)
			cfg.SimpleJWT.Rotation, cfg.SimpleJWT.Compat, cfg.SimpleJWT.UserIDClaim = clients.RotationStrict, "5.2", "user_id"
		})
		password := storage.Secret("canary-password")
		if _, err := r.Users().Add(t.Context(), users.NewUser{Username: "canary-user", Active: true, Password: &password}); err != nil {
			t.Fatal(err)
		}
		login := r.post(t, "/api/token/", map[string]string{"username": "canary-user", "password": "canary-password"})
		refreshed := r.post(t, "/api/token/refresh/", map[string]string{"refresh": login["refresh"]})
		r.end(t)

		root := c.named(t, "POST /api/token/refresh/")
		if root.Kind != tracepb.Span_SPAN_KIND_SERVER || len(root.ParentSpanId) != 0 || attribute(root, "http.response.status_code") != "200" ||
			attribute(root, "http.route") != "/api/token/refresh/" || root.Status.GetCode() != tracepb.Status_STATUS_CODE_UNSET {
			t.Errorf("the span of the request: %s", root)
		}
		var operations []string
		for _, s := range c.below(root) {
			if s.Kind == tracepb.Span_SPAN_KIND_CLIENT {
				operations = append(operations, s.Name)
				if system := attribute(s, "db.system.name"); system != "sqlite" && system != "postgresql" || len(s.Attributes) != 1 {
					t.Errorf("the span of an operation: %s", s)
				}
				if s.StartTimeUnixNano < root.StartTimeUnixNano || s.EndTimeUnixNano > root.EndTimeUnixNano {
					t.Errorf("%s is not within its request", s.Name)
				}
			}
		}
		// The login has read the client, but what is cached is dropped when the server hears of a change, of its own start for one.
		operations = slices.DeleteFunc(operations, func(name string) bool { return name == "read client" })
		if want := []string{"attempt grant"}; !slices.Equal(operations, want) {
			t.Errorf("below the refresh are %q, want %q", operations, want)
		}
		if login := c.below(c.named(t, "POST /api/token/")); len(login) == 0 {
			t.Error("nothing is below the login")
		}
		signature := func(token string) string { return token[strings.LastIndex(token, ".")+1:] }
		c.hides(t, "canary", login["refresh"], login["access"], refreshed["refresh"], refreshed["access"],
			signature(login["refresh"]), signature(refreshed["access"]))
	})
}

// Not parallel: OpenTelemetry is configured by the environment.
func TestTraceparentIsContinued(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	r := run(t, fromEnvironment(t))
	send := func(traceparent string) {
		t.Helper()
		req, err := http.NewRequest("POST", "http://"+r.public+"/oauth2/token?token=canary-query", strings.NewReader("password=canary-body"))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Authorization": "Bearer canary-header", "User-Agent": "canary-agent", "X-Forwarded-For": "canary-address",
			"Traceparent": traceparent, "Tracestate": "canary=state", "Baggage": "canary=baggage",
		} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	const sampled, unsampled = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"
	send("00-" + sampled + "-b7ad6b7169203331-01")
	send("00-" + unsampled + "-b7ad6b7169203331-00")
	r.status(t, r.public, "/nowhere/canary-path")
	r.end(t)

	span := c.named(t, "POST /oauth2/token") // one: the caller decided that the other is not sampled
	if hex.EncodeToString(span.TraceId) != sampled || hex.EncodeToString(span.ParentSpanId) != "b7ad6b7169203331" ||
		attribute(span, "http.response.status_code") != "400" || span.TraceState != "" {
		t.Errorf("the span does not continue the trace: %s", span)
	}
	if own := c.named(t, "GET unmatched"); len(own.ParentSpanId) != 0 || hex.EncodeToString(own.TraceId) == sampled {
		t.Errorf("a request without traceparent: %s", own)
	}
	c.hides(t, "canary")
	if len(c.names) == 0 || c.names[0] != "latchkey" {
		t.Errorf("service.name %q", c.names)
	}
	for i, want := range []string{sampled, unsampled} {
		if event := r.log.Requests(t, "/oauth2/token", 2)[i]; event["trace_id"] != want {
			t.Errorf("trace_id %v in the log, want %s", event["trace_id"], want)
		}
	}
}

// fromEnvironment configures tracing as the command does.
func fromEnvironment(t *testing.T) func(*server.Config) {
	return func(cfg *server.Config) {
		var err error
		if cfg.Traces, err = server.TraceExporter(t.Context(), cfg.Logger); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWithoutAnEndpointNothingIsTraced(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=b")
	r := run(t, func(cfg *server.Config) {
		fromEnvironment(t)(cfg)
		if cfg.Traces != nil {
			t.Error("there is an exporter")
		}
	})
	r.status(t, r.public, "/oauth2/jwks")
	if event := r.log.Requests(t, "/oauth2/jwks", 1)[0]; event["trace_id"] != nil {
		t.Errorf("the log names a trace: %v", event)
	}
}

func TestTraceExporterRefusesBadVariables(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://collector:4318"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://collector", "http://collector:4318"},
		{"OTEL_EXPORTER_OTLP_TIMEOUT", "5s", "milliseconds"},
		{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1", "milliseconds"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "canary", "name=value"},
		{"OTEL_EXPORTER_OTLP_HEADERS", "a=b,canary name=c", "name=value"},
		{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=%zcanary", "name=value"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "-4", "from 1 to"},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "99999999999", "from 1 to"},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "-1", "from 1 to"},
		{"OTEL_BSP_SCHEDULE_DELAY", "5s", "milliseconds"},
		{"OTEL_BSP_EXPORT_TIMEOUT", "-1", "milliseconds"},
		{"OTEL_TRACES_SAMPLER", "canary", "parentbased_traceidratio"},
		{"OTEL_TRACES_SAMPLER_ARG", "2", "from 0 to 1"},
	} {
		t.Run(c.name+" "+c.value, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
			t.Setenv(c.name, c.value)
			log := new(servertest.Log)
			_, err := server.TraceExporter(t.Context(), slog.New(slog.NewJSONHandler(log, nil)))
			if err == nil || !strings.Contains(err.Error(), c.name) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%v", err)
			}
		})
	}
}

// hanging is an exporter whose collector never answers.
type hanging struct{ sdktrace.SpanExporter }

func (hanging) ExportSpans(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestACollectorThatHangsDelaysNoRequestAndNoShutdown(t *testing.T) {
	t.Parallel()
	r := run(t, func(cfg *server.Config) { cfg.Traces = hanging{newCollector(t).exporter(t)} })
	var slowest time.Duration
	for range 4000 { // more than the queue holds
		begin := time.Now()
		w := get(r.Handler(), "/oauth2/jwks")
		if slowest = max(slowest, time.Since(begin)); w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
	}
	if slowest > 10*time.Second {
		t.Errorf("a request took %s", slowest)
	}
	begin := time.Now()
	r.end(t)
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
	if len(r.log.Events(t, "traces were lost at shutdown")) != 1 {
		t.Error("the log does not say that traces were lost")
	}
}

func TestACollectorThatIsAwayIsLogged(t *testing.T) {
	t.Parallel()
	r := run(t, func(cfg *server.Config) {
		c := newCollector(t)
		cfg.Traces = c.exporter(t)
		c.Close()
	})
	if status := r.status(t, r.public, "/oauth2/jwks"); status != 200 {
		t.Errorf("status %d", status)
	}
	r.end(t)
	if len(r.log.Events(t, "traces could not be sent")) != 1 {
		t.Error("the log does not say that traces could not be sent")
	}
}
