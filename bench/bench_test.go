package main

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	// A process names itself, with spaces and brackets if it likes. utime 250, stime 50, cutime 7, cstime 3.
	p, err := parseStat([]byte("4711 (a) R 1 (b) S 42 4711 4711 0 -1 4194560 1 2 3 4 250 50 7 3 20 0 5 0 100 1 2\n"))
	want := process{parent: 42, own: 3 * time.Second, ended: 100 * time.Millisecond}
	if err != nil || p != want {
		t.Errorf("parseStat = %+v, %v; want %+v", p, err, want)
	}
	for _, text := range []string{"", "1 (x) S 1", "1 (x) S x 1 1 0 -1 0 1 2 3 4 250 50 7 3 20"} {
		if _, err := parseStat([]byte(text)); err == nil {
			t.Errorf("parseStat(%q) succeeded", text)
		}
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	r := &result{elapsed: 2 * time.Second, errors: 50}
	for i := range 150 {
		r.latencies = append(r.latencies, time.Duration(i+1)*time.Millisecond)
	}
	for p, want := range map[int]time.Duration{1: 2, 50: 75, 95: 143, 99: 149, 100: 150} {
		if got := r.percentile(p); got != want*time.Millisecond {
			t.Errorf("p%d = %s, want %d ms", p, got, want)
		}
	}
	// Requests that failed cost CPU, but are no throughput.
	if r.requests() != 200 || r.rate() != 75 || r.ms(time.Second) != 5 {
		t.Errorf("requests %d, rate %v, CPU %v", r.requests(), r.rate(), r.ms(time.Second))
	}
	if none := (&result{elapsed: time.Second}); none.percentile(50) != 0 || none.ms(time.Second) != 1000 {
		t.Error("nothing measured")
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := parse(nil)
	if err != nil || len(s.scenarios) != len(scenarios()) || s.concurrency != 16 || s.duration != 2*time.Second {
		t.Errorf("without flags: %+v, %v", s, err)
	}
	for _, args := range [][]string{{"-scenarios", "refresh,nonsense"}, {"-databases", "oracle"}, {"-concurrency", "0"}, {"-duration", "0s"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}
