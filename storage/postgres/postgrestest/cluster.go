package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/latchkeytest/port"
)

// watchdog starts Postgres ($1 its binary, $2 its data) and ends when Postgres does. Beside it a reader waits on standard
// input: the word "stop" ends Postgres in an orderly way. When the input closes without a word, the process that
// started it has ended, even by kill -9: Postgres ends at once and the folder $3 is removed. Signals are repeated,
// since a job of the shell ignores them until Postgres has installed its own handlers. The session is
// their own, so that the signals of a terminal reach neither.
const watchdog = `
	exec 3<&0
	"$1" -D "$2" </dev/null 3<&- &
	postgres=$!
	(
		read -r word <&3
		signal=INT
		[ "$word" = stop ] || { signal=QUIT; : >"$3/abandoned"; }
		while kill -$signal $postgres 2>/dev/null; do sleep 0.1; done
	) &
	reader=$!
	wait $postgres
	kill $reader 2>/dev/null
	[ ! -e "$3/abandoned" ] || rm -rf "$3"`

// OwnCluster is a Postgres cluster of a test's own. It keeps what was committed across Kill, as in production.
type OwnCluster struct {
	binaries, folder, data string
	port                   int
	password               string
	credential             *syscall.Credential
	stdin                  io.WriteCloser
	done                   chan struct{}
}

// Cluster starts a cluster for this test alone, with fsync on. It is removed when the test ends.
func Cluster(t testing.TB) *OwnCluster {
	t.Helper()
	c, err := start(true)
	if err != nil {
		t.Fatalf("Postgres for tests: %v", err)
	}
	t.Cleanup(c.remove)
	return c
}

// Shared starts a cluster for many test processes, without fsync, or a durable one with it, in the usual folder for temporary files: for
// measurements that mean a disk. Stop ends and removes it.
func Shared(durable bool) (c *OwnCluster, stop func(), err error) {
	c, err = start(durable)
	if err != nil {
		return nil, nil, err
	}
	return c, c.remove, nil
}

// URL connects to the database postgres as a superuser.
func (c *OwnCluster) URL() string {
	return fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%d/postgres?sslmode=disable", c.password, c.port)
}

// Migrated makes a migrated database in the cluster and gives its URL.
func (c *OwnCluster) Migrated(t testing.TB) string {
	t.Helper()
	name := "latchkey_" + strings.ToLower(rand.Text())
	if err := run(c.URL(), `CREATE DATABASE `+name); err != nil {
		t.Fatal(err)
	}
	url := inDatabase(c.URL(), name)
	if err := migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	return url
}

// Log returns what Postgres has logged.
func (c *OwnCluster) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Stop ends Postgres in an orderly way: connections are cut, what is under way is rolled back.
func (c *OwnCluster) Stop(t testing.TB) {
	t.Helper()
	c.tell("stop")
}

// Kill ends Postgres as a crash does (SIGKILL to the postmaster).
func (c *OwnCluster) Kill(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-c.done
	c.stdin.Close()
}

// Start starts a cluster that was stopped or killed, on the same port.
func (c *OwnCluster) Start(t testing.TB) {
	t.Helper()
	if err := c.serve(); err != nil {
		t.Fatal(err)
	}
}

// tell gives the watchdog a word, or none, and waits until Postgres has ended. A watchdog that has ended doesn't hear it.
func (c *OwnCluster) tell(word string) {
	if word != "" {
		io.WriteString(c.stdin, word+"\n")
	}
	c.stdin.Close()
	<-c.done
}

func (c *OwnCluster) remove() {
	c.tell("")
	os.RemoveAll(c.folder)
}

// start makes a cluster and starts it.
func start(durable bool) (*OwnCluster, error) {
	binaries, err := findBinaries()
	if err != nil {
		return nil, err
	}
	c := &OwnCluster{binaries: binaries, password: rand.Text()}
	if os.Getuid() == 0 {
		// Postgres refuses to run as root.
		if c.credential, err = unprivileged(); err != nil {
			return nil, err
		}
	}
	base := ""
	if !durable {
		base = memory()
	}
	if c.folder, err = os.MkdirTemp(base, "latchkey-postgres-"); err != nil {
		return nil, err
	}
	if err := c.initialise(durable); err != nil {
		os.RemoveAll(c.folder)
		return nil, err
	}
	// Another process may take the free port before Postgres does.
	for range 5 {
		if err = c.choosePort(); err != nil {
			break
		}
		if err = c.serve(); err == nil {
			return c, nil
		}
	}
	os.RemoveAll(c.folder)
	return nil, err
}

// memory is a folder in memory when there is one with room, else the usual folder for temporary files. A database for each
// test is some 300 files: measured, making one took 0.7 s on a busy disk and 0.08 s in memory.
func memory() string {
	const folder, room = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(folder, &fs); err != nil || uint64(fs.Bavail)*uint64(fs.Bsize) < room {
		return ""
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm()&0o002 == 0 {
		return ""
	}
	return folder
}

// initialise runs initdb. TCP connections need a random password, since other users of the machine can reach
// the port and a superuser of Postgres runs commands; the socket is in a folder that others can't enter. The password is sent as it is:
// SCRAM takes longer than the rest of a connection, with the race detector, and the connections stay on the machine.
func (c *OwnCluster) initialise(durable bool) error {
	c.data = filepath.Join(c.folder, "data")
	passwords := filepath.Join(c.folder, "password")
	if err := os.WriteFile(passwords, []byte(c.password), 0o600); err != nil {
		return err
	}
	if c.credential != nil {
		for _, path := range []string{c.folder, passwords} {
			if err := os.Chown(path, int(c.credential.Uid), int(c.credential.Gid)); err != nil {
				return err
			}
		}
	}
	initdb := exec.Command(filepath.Join(c.binaries, "initdb"), "--pgdata="+c.data, "--username=postgres", "--pwfile="+passwords,
		"--auth-local=trust", "--auth-host=password", "--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync")
	c.asUser(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	settings := "max_connections = 400\nshared_buffers = 64MB\nmax_wal_size = 256MB\nautovacuum_naptime = 5s\n" +
		"log_min_messages = warning\nunix_socket_directories = '" + c.folder + "'\nlisten_addresses = '127.0.0.1'\n"
	if !durable {
		settings += "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"
	}
	return c.appendSettings(settings)
}

func (c *OwnCluster) appendSettings(settings string) error {
	f, err := os.OpenFile(filepath.Join(c.data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(settings)
	return err
}

func (c *OwnCluster) choosePort() (err error) {
	if c.port, err = port.Free(); err != nil {
		return err
	}
	return c.appendSettings(fmt.Sprintf("port = %d\n", c.port))
}

// serve starts Postgres under its watchdog and waits until it answers. After a kill the old backends may hold the
// shared memory for a moment, and Postgres refuses to start until they are gone.
func (c *OwnCluster) serve() error {
	var err error
	for range 20 {
		if err = c.serveOnce(); !errors.Is(err, errEnded) {
			return err
		}
		time.Sleep(250 * time.Millisecond)
	}
	return err
}

var errEnded = errors.New("postgres ended at its start")

func (c *OwnCluster) serveOnce() error {
	logPath := filepath.Join(c.folder, "log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", "-c", watchdog, "sh", filepath.Join(c.binaries, "postgres"), c.data, c.folder)
	// The files are the watchdog's own: inherited ones would keep `go test` waiting.
	cmd.Stdout, cmd.Stderr = log, log
	c.asUser(cmd)
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	c.done = done
	go func() {
		cmd.Wait()
		close(done)
	}()
	for deadline := time.Now().Add(time.Minute); ; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, c.URL())
		cancel()
		if err == nil {
			return conn.Close(context.Background())
		}
		select {
		case <-done:
			text, _ := os.ReadFile(logPath)
			return fmt.Errorf("%w: %s", errEnded, text[max(0, len(text)-2000):])
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			c.tell("")
			return fmt.Errorf("postgres did not answer within a minute: %w", err)
		}
	}
}

// asUser makes cmd run in a session of its own, as the unprivileged user.
func (c *OwnCluster) asUser(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.credential}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + c.folder, "TZ=UTC"}
}

// unprivileged is the user that the package of Postgres makes, else nobody.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("no unprivileged user to run Postgres as")
}
