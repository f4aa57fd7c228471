package otlp

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestFromEnv(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, endpoint, header string
		timeout                time.Duration
		env                    []string
		fails                  bool
	}{
		{name: "nothing", endpoint: ""},
		{name: "base", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/"}, endpoint: "http://c:4318/v1/traces", timeout: 10 * time.Second},
		{
			name: "traces before base", endpoint: "https://t/x", timeout: 2 * time.Second, header: "a b",
			env: []string{
				"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/x",
				"OTEL_EXPORTER_OTLP_TIMEOUT", "2000", "OTEL_EXPORTER_OTLP_HEADERS", " X-Key = a%20b ,",
			},
		},
		{name: "no URL", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"}, fails: true},
		{name: "bad timeout", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_TIMEOUT", "5s"}, fails: true},
		{name: "bad headers", env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "OTEL_EXPORTER_OTLP_HEADERS", "canary"}, fails: true},
	} {
		e, err := FromEnv(env(c.env...))
		switch {
		case c.fails:
			if err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %v", c.name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", c.name, err)
		case e == nil && c.endpoint != "" || e != nil && e.endpoint != c.endpoint:
			t.Errorf("%s: %+v", c.name, e)
		case e != nil && (e.client.Timeout != c.timeout || e.headers["X-Key"] != c.header):
			t.Errorf("%s: timeout %s, headers %v", c.name, e.client.Timeout, e.headers)
		}
	}
}

func TestExportSpeaksOTLP(t *testing.T) {
	t.Parallel()
	var got map[string]any
	status := http.StatusOK
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Key") != "k" || json.Unmarshal(body, &got) != nil {
			t.Errorf("%v %s", r.Header, body)
		}
		w.WriteHeader(status)
	}))
	defer collector.Close()
	e, err := FromEnv(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL, "OTEL_EXPORTER_OTLP_HEADERS", "X-Key=k"))
	if err != nil {
		t.Fatal(err)
	}
	spans := tracetest.SpanStubs{{
		Name: "POST /x", SpanKind: trace.SpanKindServer,
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}),
		StartTime:   time.Unix(1, 5), EndTime: time.Unix(2, 0),
		Attributes: []attribute.KeyValue{attribute.Int("n", 7), attribute.Bool("b", true), attribute.Float64("f", .5), attribute.String("s", "t")},
		Status:     sdktrace.Status{Code: codes.Error, Description: "why"},
	}}.Snapshots()
	if err := e.ExportSpans(t.Context(), spans); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got)
	for _, want := range []string{
		`"traceId":"01000000000000000000000000000000"`, `"spanId":"0200000000000000"`, `"kind":2`, `"startTimeUnixNano":"1000000005"`,
		`{"key":"n","value":{"intValue":"7"}}`, `{"boolValue":true}`, `{"doubleValue":0.5}`, `{"stringValue":"t"}`,
		`"status":{"code":2,"message":"why"}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	status = http.StatusBadGateway
	if err := e.ExportSpans(t.Context(), spans); err == nil {
		t.Error("a refused batch was taken for sent")
	}
}
