package postgres_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"latchkey/migrations"
	"latchkey/storage"
	"latchkey/storage/postgres"
	"latchkey/storage/postgres/postgrestest"
)

// reads are the acts that change nothing; repeatable are those whose repetition promises nothing that a fail-over could take back.
var (
	reads = []string{
		"Ping", "User", "UserByUsername", "ListUsers", "Client", "ListClients", "Grant", "ListGrants", "ListGrants of a session", "BrowserSession",
		"ListBrowserSessions", "AuthorizationCode", "PendingDeviceCode", "PushedRequest", "ListConsents", "ListRegistrationTokens", "RegistrationToken", "ListAccountTokens", "TokenState", "ListSigningKeys", "ListResources", "ListAudit", "WaitingOutboxMessages", "AccountToken", "ListWebhooks",
		"ListUndeliveredLetters", "UndeliveredLetter", "CountUndeliveredLetters",
	}
	repeatable = []string{
		"TouchBrowserSession", "RetryLogoutNotice", "FinishLogoutNotice", "ClaimLogoutNotices",
		"RetryOutboxMessage", "FinishOutboxMessage", "AbandonLetter", "ClaimOutboxMessages", "RemoveSigningKeys",
	}
)

func among(name string, lists ...[]string) bool {
	for _, list := range lists {
		for _, one := range list {
			if one == name {
				return true
			}
		}
	}
	return false
}

// F1: a commit that no standby confirmed is not acknowledged, and neither is the finding that the work is done already.
func TestF1AWriteThatNoStandbyConfirmedIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	c := postgrestest.Cluster(t)
	address := c.Migrated(t)
	s := open(t, postgres.Config{URL: address, StatementTimeout: 100 * time.Millisecond})
	withoutStandby(t, address)
	call := func(a act) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // an import has a minute of its own
		defer cancel()
		return a.call(ctx)
	}
	for _, a := range append(acts(s), moreActs(s)...) {
		if among(a.name, reads) {
			continue
		}
		// UpdateClient was never told the version of the client that was stored.
		if err := call(a); !errors.Is(err, storage.ErrUnavailable) && a.name != "UpdateClient" {
			t.Errorf("%s: %v", a.name, err)
		}
		if err := call(a); err == nil && !among(a.name, repeatable) {
			t.Errorf("%s was acknowledged at its second call", a.name)
		}
	}
}

// F1: an administrator may end the wait as well; then no context has ended.
func TestF1AWaitForAStandbyThatWasCancelledIsNotAnAcknowledgement(t *testing.T) {
	t.Parallel()
	if err := withoutStandby(t, postgrestest.Cluster(t).Migrated(t)); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// withoutStandby makes the commits of a cluster wait for a standby that is not there. It returns the error of the first one that waited, whose
// wait an administrator ended: that connections show the setting does not mean that commits wait yet.
func withoutStandby(t *testing.T, address string) error {
	t.Helper()
	s, conn := open(t, postgres.Config{URL: address, StatementTimeout: time.Minute}), connect(t, address)
	execute(t, conn, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
	execute(t, conn, `SELECT pg_reload_conf()`)
	done := make(chan error, 1)
	go func() {
		for n := 0; ; n++ { // what is refused writes nothing, so each has a bucket of its own
			_, err := s.TakeAttempts(t.Context(), noon, storage.Bucket{Key: storage.Digest{1, byte(n), byte(n >> 8)}, Burst: 1, Interval: time.Minute})
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for {
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Millisecond):
			query[int](t, conn, `SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)
		}
	}
}

// Commands check the schema by other connections than those of the pool: when one of these is lost, that is an outage too.
func TestALostConnectionOfMigrationsIsAnOutage(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	db, err := open(t, postgres.Config{URL: url}).MigrationDB()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, wrong := db.ExecContext(t.Context(), `SELECT absent`)
	_, ended := db.ExecContext(t.Context(), `SELECT pg_terminate_backend(pg_backend_pid())`)
	cut := fmt.Errorf("look for the schema: %w", io.ErrUnexpectedEOF)
	for err, want := range map[error]bool{wrong: false, ended: true, cut: true, nil: false} {
		if got := postgres.Unavailable(err); got != want {
			t.Errorf("%v: %t, want %t", err, got, want)
		}
	}
}

// relay forwards connections to an address that can change; those that exist stay where they are.
type relay struct {
	net.Listener
	to atomic.Pointer[string]
}

func startRelay(t *testing.T, to string) *relay {
	t.Helper()
	return startRelayWith(t, to, io.Copy)
}

// startPooler starts a relay that gives the keys to cancel statements itself, as poolers do. It knows no TLS.
func startPooler(t *testing.T, to string) *relay {
	t.Helper()
	return startRelayWith(t, to, func(client io.Writer, server io.Reader) (int64, error) {
		frontend := pgproto3.NewFrontend(server, nil)
		for {
			m, err := frontend.Receive()
			if err != nil {
				return 0, err
			}
			if key, ok := m.(*pgproto3.BackendKeyData); ok {
				key.ProcessID++
			}
			out, err := m.Encode(nil)
			if err != nil {
				return 0, err
			}
			if _, err := client.Write(out); err != nil {
				return 0, err
			}
		}
	})
}

// startRelayWith starts a relay that copies with back what the server sends.
func startRelayWith(t *testing.T, to string, back func(io.Writer, io.Reader) (int64, error)) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	r := &relay{Listener: l}
	r.to.Store(&to)
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			target, err := net.Dial("tcp", *r.to.Load())
			if err != nil {
				from.Close()
				continue
			}
			go func() { io.Copy(target, from); target.Close() }()
			go func() { back(from, target); from.Close() }()
		}
	}()
	return r
}

// R23: the address moves to another server while the old primary comes back read-only.
func TestR23ConnectionsLeaveAServerThatBecameReadOnly(t *testing.T) {
	t.Parallel()
	old, other := postgrestest.Cluster(t), postgrestest.Cluster(t)
	parse := func(address string) *url.URL {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	first, second := parse(old.Migrated(t)), parse(other.Migrated(t))
	moved := *second
	moved.Path = "/postgres"
	there := connect(t, moved.String())
	password, _ := first.User.Password()
	execute(t, there, `ALTER DATABASE `+strings.TrimPrefix(second.Path, "/")+` RENAME TO `+strings.TrimPrefix(first.Path, "/"))
	execute(t, there, `ALTER ROLE `+first.User.Username()+` PASSWORD '`+password+`'`)
	r := startRelay(t, first.Host)
	through := *first
	through.Host = r.Addr().String()
	s := open(t, postgres.Config{URL: through.String()})
	changes := watch(t, s)
	people(t, s)

	conn := connect(t, first.String())
	execute(t, conn, `ALTER SYSTEM SET default_transaction_read_only = on`)
	execute(t, conn, `SELECT pg_reload_conf()`)
	until(t, func() error { // the first moment at which the old primary refuses
		if err := s.RevokeToken(t.Context(), "old", noon, nil); err == nil {
			return storage.ErrUnavailable
		}
		return nil
	})
	if err := s.Ping(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Ping of a server that is read-only: %v", err)
	}
	for len(changes) > 0 {
		<-changes
	}
	r.to.Store(&second.Host)
	until(t, func() error { return s.RevokeToken(t.Context(), "new", noon, nil) })
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if c := next(t, changes, time.Minute); c.Kind != storage.ChangeAll {
		t.Errorf("Watch reported %+v", c)
	}
}

// crossed is a tracer that prepares another statement under each name that pgx is about to use, as another client of a pooler in
// transaction mode does.
type crossed struct{ postgrestest.RoundTrips }

func (c *crossed) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	sum := sha256.Sum256([]byte(data.SQL))
	conn.PgConn().Exec(ctx, `PREPARE stmtcache_`+hex.EncodeToString(sum[:24])+` AS SELECT 1`).Close()
	return ctx
}

// F6: behind a pooler in transaction mode the first confusion of prepared statements is the last.
func TestF6APoolerWithoutPreparedStatementsIsNoticed(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{Tracer: &crossed{}})
	for _, a := range acts(s) {
		if err := a.call(t.Context()); err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
	}
}

// F6: the check of the schema at the start prepares no statements, so that it works behind such a pooler.
func TestF6TheCheckOfTheSchemaPreparesNothing(t *testing.T) {
	t.Parallel()
	db, err := open(t, postgres.Config{}).MigrationDB()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if behind, err := migrations.Behind(t.Context(), db, migrations.Postgres); err != nil || behind {
		t.Fatalf("behind: %v, %v", behind, err)
	}
	var prepared int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_prepared_statements WHERE name <> ''`).Scan(&prepared); err != nil || prepared > 0 {
		t.Errorf("%d statements are prepared, %v", prepared, err)
	}
}

// TestConnectionsThatTheServerHasClosedFailNoCall ends all connections while they are idle, as a restart does: the calls that follow go
// through new ones, and none fails.
func TestConnectionsThatTheServerHasClosedFailNoCall(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s, conn := open(t, postgres.Config{URL: url, MaxConns: 4}), connect(t, url)
	const others = ` FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`
	for query[int](t, conn, `SELECT count(*)`+others) < 4 {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if err := s.Ping(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	execute(t, conn, `SELECT pg_terminate_backend(pid)`+others)
	for query[int](t, conn, `SELECT count(*)`+others) > 0 {
		time.Sleep(5 * time.Millisecond)
	}
	for i := range 6 {
		u := &storage.User{Username: fmt.Sprint("user", i), PasswordHash: "hash", Active: true, CreatedAt: time.Now()}
		if err := s.CreateUser(t.Context(), u); err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
}
