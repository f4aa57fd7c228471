package hatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"latchkey/latchkeytest"
)

const (
	databasePassword  = "latchkey-1"
	superuserPassword = "superuser-1"
	// maxConnections is small, so that the drill can take all of them.
	maxConnections = 60
)

// node is a database machine: Patroni and its Postgres.
type node struct {
	name, data     string
	postgres, rest string // addresses
	config         string
	patroni        *latchkeytest.Process
	mounted        bool
	m              *machine
}

// cluster is the database.
type cluster struct {
	etcd  *latchkeytest.Process
	nodes []*node
	m     *machine
}

func startCluster(m *machine) *cluster {
	p := ports(m.t, 8)
	etcd := "127.0.0.1:" + p[0]
	c := &cluster{m: m}
	c.etcd = m.start("etcd", "--listen-client-urls", "http://"+etcd, "--advertise-client-urls", "http://"+etcd,
		"--listen-peer-urls", "http://127.0.0.1:"+p[1], "--initial-advertise-peer-urls", "http://127.0.0.1:"+p[1],
		"--initial-cluster", "default=http://127.0.0.1:"+p[1], "--data-dir", filepath.Join(m.folder, "etcd"))
	binaries := binaries(m)
	for i, name := range []string{"pg1", "pg2", "pg3"} {
		n := &node{name: name, data: filepath.Join(m.folder, name, "data"), postgres: "127.0.0.1:" + p[2+2*i], rest: "127.0.0.1:" + p[3+2*i], m: m}
		n.mount()
		n.config = m.configure("patroni/patroni.yml", name+".yml",
			"name: pg1", "name: "+name,
			"10.0.0.11:8008", n.rest,
			"10.0.0.11:5432", n.postgres,
			"[10.0.0.11:2379, 10.0.0.12:2379, 10.0.0.13:2379]", "["+etcd+"]",
			"/usr/lib/postgresql/17/bin", binaries,
			"/var/lib/postgresql/17/latchkey", n.data,
			"/var/lib/postgresql/patroni.pgpass", filepath.Join(m.folder, name+".pgpass"),
			"SUPERUSER_PASSWORD", superuserPassword, "REPLICATION_PASSWORD", "replication-1", "REWIND_PASSWORD", "rewind-1",
			"10.0.0.0/24", "127.0.0.1/32",
			"max_connections: 100", fmt.Sprintf("max_connections: %d\n        unix_socket_directories: %s", maxConnections, m.folder))
		c.nodes = append(c.nodes, n)
		n.start()
		m.t.Cleanup(n.kill)
	}
	return c
}

// binaries returns the folder of Postgres' programs: the newest of Debian's.
func binaries(m *machine) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		m.t.Fatal("no Postgres in /usr/lib/postgresql")
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) }))
}

func (n *node) start() { n.patroni = n.m.start("patroni", n.config) }

// postmaster returns Postgres' process, or 0 if there is none.
func (n *node) postmaster() int {
	text, err := os.ReadFile(filepath.Join(n.data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(line)
	// The file may be left over from a process that has ended.
	folder, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil || folder != n.data {
		return 0
	}
	return pid
}

func (n *node) processes() (all []int) {
	if pid := n.postmaster(); pid != 0 {
		all = family(pid)
	}
	select {
	case <-n.patroni.Ended():
	default:
		all = append(all, family(n.patroni.PID())...)
	}
	return all
}

// crash kills Postgres; Patroni lives.
func (n *node) crash() {
	if pid := n.postmaster(); pid != 0 {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// kill ends the machine.
func (n *node) kill() {
	signal(n.processes(), syscall.SIGKILL)
	n.patroni.Kill()
}

// freeze stops all that runs on the machine, until thaw.
func (n *node) freeze() { signal(n.processes(), syscall.SIGSTOP) }
func (n *node) thaw()   { signal(n.processes(), syscall.SIGCONT) }

// freezePostgres stops Postgres only.
func (n *node) freezePostgres() { signal(family(n.postmaster()), syscall.SIGSTOP) }

var rest = &http.Client{Timeout: 3 * time.Second}

// member is what Patroni says of a node.
type member struct {
	Name, Role, State string
}

// members asks the first Patroni that answers.
func (c *cluster) members() (answer []member) {
	for _, n := range c.nodes {
		resp, err := rest.Get("http://" + n.rest + "/cluster")
		if err != nil {
			continue
		}
		var body struct{ Members []member }
		err = json.NewDecoder(resp.Body).Decode(&body)
		resp.Body.Close()
		if err == nil && len(body.Members) > 0 {
			return body.Members
		}
	}
	return nil
}

// with returns the node that has a role (leader, sync_standby, replica), or nil.
func (c *cluster) with(role string) *node {
	for _, m := range c.members() {
		if m.Role == role {
			return c.nodes[slices.IndexFunc(c.nodes, func(n *node) bool { return n.name == m.Name })]
		}
	}
	return nil
}

// mustHave waits for a node with a role.
func (c *cluster) mustHave(role string) *node {
	c.m.t.Helper()
	var n *node
	c.await("a "+role, func() bool { n = c.with(role); return n != nil })
	return n
}

// whole waits until all nodes run and one of them confirms the commits of the leader.
func (c *cluster) whole() {
	c.m.t.Helper()
	c.await("a whole cluster", func() bool {
		all, roles := c.members(), map[string]bool{}
		for _, m := range all {
			if m.State != "running" && m.State != "streaming" {
				return false
			}
			roles[m.Role] = true
		}
		return len(all) == len(c.nodes) && roles["leader"] && roles["sync_standby"]
	})
}

func (c *cluster) await(what string, done func() bool) {
	c.m.t.Helper()
	for end := time.Now().Add(2 * latchkeytest.Patience); !done(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			c.m.t.Fatalf("%s did not come: %+v", what, c.members())
		}
	}
}

// switchOver asks Patroni to make a standby that confirms the leader.
func (c *cluster) switchOver() error {
	body, _ := json.Marshal(map[string]string{"leader": c.mustHave("leader").name, "candidate": c.mustHave("sync_standby").name})
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Post("http://"+c.mustHave("leader").rest+"/switchover", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	text.ReadFrom(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("switchover: %d %s", resp.StatusCode, &text)
	}
	return nil
}

func databaseURL(user, password, address, database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable&connect_timeout=5", user, password, address, database)
}

// execute runs statements as the superuser of the leader.
func (c *cluster) execute(statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, databaseURL("postgres", superuserPassword, c.mustHave("leader").postgres, "postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}
