package directory_test

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/server/servertest"
	"latchkey/server/users"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/testclock"
)

// BenchmarkRefresh compares the CPU time of server and Postgres for one refresh with and without Django's table, in turns, so that what else
// the machine does concerns both: go test -bench Refresh -benchtime 5000x ./storage/directory
func BenchmarkRefresh(b *testing.B) {
	site := newSite(b, "same", "integer")
	site.do(`INSERT INTO auth_user (id, username, password) SELECT n, 'user' || n, $1 FROM generate_series(1000, 20999) n`, hash("x"))
	site.do(`ANALYZE`)
	url := postgrestest.URL(b)
	databases := []string{path.Base(strings.Split(site.url, "?")[0]), path.Base(strings.Split(url, "?")[0])}
	own, err := postgres.Open(b.Context(), postgres.Config{URL: url, MaxConns: 8, Now: func() time.Time { return testclock.Epoch }})
	if err != nil {
		b.Fatal(err)
	}
	defer own.Close()
	with, without := site.serve(), servertest.New(b, servertest.Store(own))
	for i := range 20000 {
		if err := own.CreateUser(b.Context(), &storage.User{Username: fmt.Sprint("user", i), CreatedAt: testclock.Epoch}); err != nil {
			b.Fatal(err)
		}
	}
	without.AddUser(users.NewUser{Username: "ada", Active: true}, "secret")
	tokens := map[*servertest.Server]string{}
	spent, backends := map[*servertest.Server]time.Duration{}, map[*servertest.Server]time.Duration{}
	for _, s := range []*servertest.Server{with, without} {
		tokens[s] = login(s, "ada", "secret").Expect(200).String("refresh")
	}
	const turn = 100
	for i := 0; i < b.N; i += turn {
		for _, s := range []*servertest.Server{with, without} {
			before, postgresBefore := cpu(b, databases)
			for range turn {
				tokens[s] = s.RefreshSimpleJWT(tokens[s]).Expect(200).String("refresh")
			}
			if i > 0 { // the first turn warms up
				after, postgresAfter := cpu(b, databases)
				spent[s] += after - before
				backends[s] += postgresAfter - postgresBefore
			}
		}
	}
	n := float64(max(1, b.N-turn))
	b.ReportMetric(float64(spent[without].Microseconds())/n, "µs-cpu-without/op")
	b.ReportMetric(float64(spent[with].Microseconds())/n, "µs-cpu-with/op")
	b.ReportMetric(float64(backends[without].Microseconds())/n, "µs-postgres-without/op")
	b.ReportMetric(float64(backends[with].Microseconds())/n, "µs-postgres-with/op")
	b.ReportMetric(float64(spent[with])/float64(max(1, spent[without])), "ratio")
}

// cpu returns the CPU time of this process and of the backends of Postgres that serve it, and that of the backends alone.
func cpu(b *testing.B, databases []string) (sum, backends time.Duration) {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	sum = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	entries, err := os.ReadDir("/proc")
	if err != nil {
		b.Skip("no /proc")
	}
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		title, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if !slices.ContainsFunc(databases, func(name string) bool { return strings.HasPrefix(string(title), "postgres: postgres "+name) }) {
			continue
		}
		schedule, _ := os.ReadFile("/proc/" + e.Name() + "/schedstat") // nanoseconds on the CPU come first
		if fields := strings.Fields(string(schedule)); len(fields) > 0 {
			ns, _ := strconv.ParseInt(fields[0], 10, 64)
			backends += time.Duration(ns)
		}
	}
	return sum + backends, backends
}
