package main

import (
	"fmt"
	"time"
)

func printHeader(db *database) {
	fmt.Printf("%s\n", db.description)
	fmt.Printf("%-20s %9s %7s %9s %9s %9s %9s   CPU s per 1,000: %7s %9s %9s\n",
		"", "requests", "errors", "req/s", "p50 ms", "p95 ms", "p99 ms", "server", "database", "generator")
}

func printResult(r *result) {
	ms := func(p int) float64 { return float64(r.percentile(p)) / float64(time.Millisecond) }
	cpu := func(d time.Duration) string {
		if d == 0 {
			return "–" // SQLite works inside the server; a Postgres elsewhere can't be seen
		}
		return fmt.Sprintf("%.3f", r.per1000(d))
	}
	fmt.Printf("%-20s %9d %7d %9.0f %9.2f %9.2f %9.2f   %24s %9s %9s\n", r.name, r.requests(), r.errors, r.rate(),
		ms(50), ms(95), ms(99), cpu(r.cpu.server), cpu(r.cpu.database), cpu(r.cpu.generator))
	if r.firstError != nil {
		fmt.Printf("%20s first error: %v\n", "", r.firstError)
	}
}

// printFloor shows what Postgres does without a server before it, and how a refresh compares.
func printFloor(floor, refresh *result) {
	printResult(floor)
	fmt.Printf("%20s refresh : floor = %.2f of the rate", "", refresh.rate()/floor.rate())
	if floor.cpu.database > 0 {
		fmt.Printf(", %.2f times the database's CPU", refresh.per1000(refresh.cpu.database)/floor.per1000(floor.cpu.database))
	}
	fmt.Println()
}
