package hatest

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/latchkeytest"
)

// service is three Latchkeys behind HAProxy, with their database.
type service struct {
	*cluster
	replicas []*replica
	// direct leads to the leader through HAProxy; pooled goes through PgBouncer first.
	direct, pooled string
	// binary is this release, previous the one before the newest migration; empty if the drill does not begin with it.
	binary, previous string
	network          *network // between Latchkey and HAProxy
	// lagging is when standbys stopped to follow while none has to; zero = they follow. What began or ended from then on is lost.
	lagging atomic.Int64
	http    *http.Client
}

// replica is a Latchkey.
type replica struct {
	*latchkeytest.Instance
	clock string
}

// startService starts this release, or the previous one if there is a binary of it.
func startService(t *testing.T, previous string) *service {
	install(t)
	binary := build(t)
	m := newMachine(t)
	s := &service{cluster: startCluster(m), binary: binary, previous: previous}
	p := ports(t, 4)
	issuer := "https://localhost:" + p[0]
	s.network = startNetwork(t, "127.0.0.1:"+p[3], "127.0.0.1:"+p[1])
	s.direct = databaseURL("latchkey", databasePassword, "127.0.0.1:"+p[3], "latchkey")
	s.pooled = databaseURL("latchkey", databasePassword, "127.0.0.1:"+p[2], "latchkey")
	for _, name := range []string{"latchkey1", "latchkey2", "latchkey3"} {
		folder := filepath.Join(m.folder, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		i, err := latchkeytest.NewInstance(latchkeytest.Config{Binary: cmp.Or(previous, binary), Folder: folder, Database: s.direct})
		if err != nil {
			t.Fatal(err)
		}
		i.Issuer = issuer
		s.replicas = append(s.replicas, &replica{Instance: i})
	}
	s.startHAProxy(p[0], p[1])
	s.startPgBouncer(p[1], p[2])
	s.whole()
	if err := s.execute(fmt.Sprintf("CREATE ROLE latchkey LOGIN PASSWORD '%s'", databasePassword), "CREATE DATABASE latchkey OWNER latchkey"); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.replicas {
		t.Cleanup(func() {
			if r.Process != nil {
				r.Kill()
			}
		})
	}
	s.run("", "migrate", "up")
	for _, r := range s.replicas {
		r.serve()
		r.mustBeReady(t)
	}
	return s
}

// wasLagging reports whether no standby followed at a moment, or a second before: it may have been on its way.
func (s *service) wasLagging(at time.Time) bool {
	since := s.lagging.Load()
	return since != 0 && at.UnixNano() > since-int64(time.Second)
}

// build builds a binary whose clock the drill can set.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "latchkey")
	cmd := exec.Command("go", "build", "-tags", "testclock", "-o", path, "./cmd/latchkey")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return path
}

func (s *service) startHAProxy(public, database string) {
	m := s.m
	certificate, pool := certify(m.t)
	pairs := []string{
		"bind :443 ssl crt /etc/haproxy/latchkey.pem", "bind 127.0.0.1:" + public + " ssl crt " + m.write("latchkey.pem", certificate),
		"/etc/haproxy/503.http", m.configure("haproxy/503.http", "503.http"),
		"bind :5432", "bind 127.0.0.1:" + database,
	}
	for i, r := range s.replicas {
		_, admin, _ := net.SplitHostPort(r.Admin)
		pairs = append(pairs, fmt.Sprintf("10.0.0.2%d:8000 port 8001", i+1), r.Listen+" port "+admin)
	}
	for i, n := range s.nodes {
		_, port, _ := net.SplitHostPort(n.rest)
		pairs = append(pairs, fmt.Sprintf("10.0.0.1%d:5432 port 8008", i+1), n.postgres+" port "+port)
	}
	m.start("haproxy", "-db", "-f", m.configure("haproxy/haproxy.cfg", "haproxy.cfg", pairs...))
	s.http = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 32,
	}}
}

func (s *service) startPgBouncer(database, port string) {
	users := s.m.write("userlist.txt", fmt.Appendf(nil, "%q %q\n", "latchkey", databasePassword))
	// PgBouncer 1.18 ends itself when a request to cancel a statement crosses the end of its connection ("bad client state").
	s.m.keep("pgbouncer", s.m.configure("pgbouncer/pgbouncer.ini", "pgbouncer.ini",
		"host=10.0.0.30 port=5432", "host=127.0.0.1 port="+database, "listen_port = 6432", "listen_port = "+port, "/etc/pgbouncer/userlist.txt", users))
}

// pgBouncerMixedNothingUp checks that the server never sent what no client had asked for: a notification for a client that has gone
// makes PgBouncer hand the next answer to the wrong one.
func (s *service) pgBouncerMixedNothingUp(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(s.m.folder, "log-pgbouncer-pgbouncer.ini"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "when not linked") && !strings.Contains(line, "got packet 'E'") { // a server may say why it ends
			t.Errorf("PgBouncer: %s", line)
		}
	}
}

// certify returns a certificate for localhost, with its key, and what trusts it.
func certify(t *testing.T) (file []byte, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	return append(public, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), pool
}

// run runs a command on the database.
func (s *service) run(stdin string, args ...string) {
	s.m.t.Helper()
	r := s.replicas[0]
	r.configure(s.direct)
	if _, err := r.Run(s.m.t.Context(), stdin, args...); err != nil {
		s.m.t.Fatal(err)
	}
}

func (r *replica) configure(database string) {
	r.Database = database
	r.Env = []string{
		"LATCHKEY_SECRET=" + strings.Repeat("s", 40), "LATCHKEY_LOGIN_THROTTLE=off", "LATCHKEY_ARGON2=m=64,t=1,p=1",
		"LATCHKEY_TRUSTED_PROXIES=127.0.0.1/32", "CLOCK_OFFSET=" + r.clock,
	}
}

// serve starts the server without waiting for it.
func (r *replica) serve() {
	r.configure(r.Database)
	cmd := exec.Command(r.Binary, "serve")
	cmd.Dir, cmd.Env = r.Folder, r.Environment()
	p, err := latchkeytest.StartProcess(cmd, filepath.Join(r.Folder, "log"))
	if err != nil {
		panic(err) // the binary has run before
	}
	r.Process = p
}

// ready reports whether the server says so.
func (r *replica) ready() bool {
	resp, err := rest.Get("http://" + r.Admin + "/readyz")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (r *replica) mustBeReady(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(latchkeytest.Patience); !r.ready(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			log := r.Log()
			t.Fatalf("a replica is not ready; its log:\n%s", log[max(0, len(log)-4000):])
		}
	}
}

// roll replaces the replicas one by one, with another database URL and, for the last one, another clock.
func (s *service) roll(database, clock string) error {
	for i, r := range s.replicas {
		if err := r.Stop(); err != nil {
			return err
		}
		r.Database, r.clock = database, ""
		if i == len(s.replicas)-1 {
			r.clock = clock
		}
		r.serve()
		if clock == "" || i < len(s.replicas)-1 {
			r.mustBeReady(s.m.t)
			time.Sleep(2 * time.Second) // until HAProxy knows
		}
	}
	return nil
}
