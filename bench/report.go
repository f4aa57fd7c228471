package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// row has the figures of one scenario on one database: medians of the repetitions, per request. Times are in milliseconds, CPU time is
// that of the server and of Postgres; SQLite works inside the server.
type row struct {
	Scenario string `json:"scenario"`
	Database string `json:"database"`
	Requests int    `json:"requests"`
	Errors   int    `json:"errors"`
	// Rate is requests per second.
	Rate float64 `json:"rate"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`

	Server     float64 `json:"cpu_server"`
	DatabaseMS float64 `json:"cpu_database"`
	// FloorMS is the CPU time of the floor and FloorP50 its p50; Ratio and RatioP50 are ours divided by them. All are zero without a floor.
	FloorMS  float64 `json:"cpu_floor,omitempty"`
	FloorP50 float64 `json:"p50_floor,omitempty"`
	Ratio    float64 `json:"ratio,omitempty"`
	RatioP50 float64 `json:"ratio_p50,omitempty"`
	// BaseRatio and BaseRatioP50 compare with the binary of -base.
	BaseRatio    float64 `json:"base_ratio,omitempty"`
	BaseRatioP50 float64 `json:"base_ratio_p50,omitempty"`
	// RoundTrips are statements or batches sent, Shared the calls that rode in one with others, WAL the bytes of the write-ahead log.
	RoundTrips  float64 `json:"round_trips"`
	WAL         float64 `json:"wal_bytes"`
	Allocations float64 `json:"allocations"`

	firstError error
}

func newRow(sc scenario, all, floors, bases []*result) *row {
	of := func(list []*result, figure func(*result) float64) float64 {
		values := make([]float64, len(list))
		for i, r := range list {
			values[i] = figure(r)
		}
		return median(values)
	}
	percentile := func(p int) func(*result) float64 {
		return func(r *result) float64 { return float64(r.percentile(p)) / float64(time.Millisecond) }
	}
	r := &row{
		Scenario: sc.name, Rate: of(all, (*result).rate), P50: of(all, percentile(50)), P99: of(all, percentile(99)),
		Server:      of(all, func(r *result) float64 { return r.ms(r.cpu.server) }),
		DatabaseMS:  of(all, func(r *result) float64 { return r.ms(r.cpu.database) }),
		RoundTrips:  of(all, func(r *result) float64 { return r.each(r.trips) }),
		WAL:         of(all, func(r *result) float64 { return r.each(r.wal) }),
		Allocations: of(all, func(r *result) float64 { return r.each(r.mallocs) }),
	}
	for _, one := range all {
		r.Requests += one.requests()
		r.Errors += one.errors
		if r.firstError == nil {
			r.firstError = one.firstError
		}
	}
	if len(floors) > 0 {
		r.FloorMS, r.FloorP50 = of(floors, (*result).cost), of(floors, percentile(50))
		r.Ratio, r.RatioP50 = compare(all, floors)
	}
	if len(bases) > 0 {
		r.BaseRatio, r.BaseRatioP50 = compare(all, bases)
	}
	return r
}

// compare returns the medians of the ratios of CPU time and of p50. Each turn is compared with that of the other just before it.
func compare(all, others []*result) (cost, latency float64) {
	costs, latencies := make([]float64, len(all)), make([]float64, len(all))
	for i := range all {
		costs[i] = all[i].cost() / others[i].cost()
		latencies[i] = float64(all[i].percentile(50)) / float64(others[i].percentile(50))
	}
	return median(costs), median(latencies)
}

func printHeader(db *database) {
	fmt.Printf("%s\n", db.description)
	fmt.Printf("%-21s %6s %6s %6s   %6s %6s %6s %6s   %6s %6s %6s   %5s %6s %6s %6s\n", "CPU ms per request:",
		"server", "db", "floor", "RATIO", "p50", "floor", "ratio", "req/s", "p99", "trips", "WAL B", "allocs", "reqs", "errors")
}

func (r *row) print() {
	some := func(v float64, format string) string {
		if v == 0 {
			return "–"
		}
		return fmt.Sprintf(format, v)
	}
	fmt.Printf("%-21s %6.3f %6s %6s   %6s %6.2f %6s %6s   %6.0f %6.2f %6s   %5.0f %6.0f %6d %6d\n", r.Scenario,
		r.Server, some(r.DatabaseMS, "%.3f"), some(r.FloorMS, "%.3f"), some(r.Ratio, "%.2f"), r.P50, some(r.FloorP50, "%.2f"),
		some(r.RatioP50, "%.2f"), r.Rate, r.P99, some(r.RoundTrips, "%.2f"), r.WAL, r.Allocations, r.Requests, r.Errors)
	if r.BaseRatio != 0 {
		fmt.Printf("%20s beside the base: CPU %.2f, p50 %.2f\n", "", r.BaseRatio, r.BaseRatioP50)
	}
	if r.firstError != nil {
		fmt.Printf("%20s first error: %v\n", "", r.firstError)
	}
}

func writeJSON(path string, rows []*row) error {
	text, err := json.MarshalIndent(rows, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
