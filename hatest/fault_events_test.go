package hatest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// networkEvents happen between Latchkey and the database.
func networkEvents() []event {
	return []event{
		{name: "the database is 100 ms away", do: func(s *service) error {
			s.network.delay.Store(int64(50 * time.Millisecond)) // each way
			time.Sleep(8 * time.Second)
			s.network.delay.Store(0)
			return nil
		}},
		{name: "packets to the database are lost for 8 s", short: true, do: func(s *service) error {
			s.network.held.Store(true)
			time.Sleep(8 * time.Second)
			s.network.held.Store(false)
			return nil
		}},
		{name: "connections are cut in their middle for 8 s", short: true, do: func(s *service) error {
			before := s.network.cut.Load()
			s.network.cuts.Store(true)
			time.Sleep(8 * time.Second)
			s.network.cuts.Store(false)
			if n := s.network.cut.Load() - before; n == 0 {
				return fmt.Errorf("no connection was cut")
			}
			return nil
		}},
	}
}

// diskEvents fill the disks of the database, each of which is a file system of its own.
func diskEvents() []event {
	return []event{
		{name: "the leader's disk is full for 10 s", do: func(s *service) error {
			return s.fill(10*time.Second, s.mustHave("leader"))
		}},
		{name: "all disks are full for 10 s", do: func(s *service) error { return s.fill(10*time.Second, s.nodes...) }},
	}
}

// fill takes all space of the nodes' disks for a while.
func (s *service) fill(d time.Duration, nodes ...*node) error {
	for _, n := range nodes {
		if !n.mounted {
			fmt.Printf("    NOT DONE: no file system could be mounted at %s\n", n.disk())
			return nil
		}
	}
	for _, n := range nodes {
		path := filepath.Join(n.disk(), "filler")
		defer os.Remove(path)
		if err := exhaust(path); err != nil {
			return err
		}
	}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		for _, n := range nodes {
			n.switchLog()
		}
	}
	return nil
}

// switchLog makes Postgres, if it leads, begin another segment of its log, which needs space: what is allocated would do for a while.
func (n *node) switchLog() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, databaseURL("postgres", superuserPassword, n.postgres, "postgres"))
	if err != nil {
		return // it is down
	}
	defer conn.Close(ctx)
	conn.Exec(ctx, `SELECT pg_switch_wal()`)
}

// exhaust writes a file until there is no space left.
func exhaust(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for piece := make([]byte, 1<<20); len(piece) > 0; {
		if _, err := f.Write(piece); err != nil {
			piece = piece[:len(piece)/2] // to the last byte
		}
	}
	return nil
}

// mount gives a node a disk of its own. Where that is not permitted, the events of disks say so.
func (n *node) mount() {
	if err := os.Mkdir(n.disk(), 0o700); err != nil {
		n.m.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", n.disk(), "tmpfs", 0, "size=320m"); err != nil {
		n.m.t.Logf("%s is no file system of its own: %v", n.disk(), err)
	} else {
		n.mounted = true
		n.m.t.Cleanup(func() { syscall.Unmount(n.disk(), syscall.MNT_DETACH) })
	}
	n.m.give(n.disk())
}

// disk is the folder of the node's file system.
func (n *node) disk() string { return filepath.Dir(n.data) }

// asynchronousEvents lose what was acknowledged: no standby has to confirm a commit.
func asynchronousEvents() []event {
	var down *node
	return []event{
		{name: "asynchronous: standbys lag, the leader is lost", asynchronous: true, do: func(s *service) error {
			if err := s.setSynchronous(false); err != nil {
				return err
			}
			down = s.mustHave("leader")
			s.lagging.Store(time.Now().UnixNano())
			for _, n := range s.nodes {
				if n != down {
					n.freezePostgres()
				}
			}
			time.Sleep(4 * time.Second)
			down.kill()
			for _, n := range s.nodes {
				if n != down {
					signal(n.receivers(), syscall.SIGTERM) // what is on its way to them is lost, too
					n.thaw()
				}
			}
			return nil
		}, heal: func(s *service) error {
			if err := s.detected(); err != nil {
				return err
			}
			down.start()
			return s.setSynchronous(true)
		}},
	}
}

// receivers are the processes that receive the log of the leader.
func (n *node) receivers() (pids []int) {
	for _, pid := range family(n.postmaster()) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(line, []byte("walreceiver")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// setSynchronous changes whether a standby must confirm each commit.
func (s *service) setSynchronous(on bool) error {
	body, _ := json.Marshal(map[string]bool{"synchronous_mode": on, "synchronous_mode_strict": on})
	req, err := http.NewRequest(http.MethodPatch, "http://"+s.mustHave("leader").rest+"/config", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := rest.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("PATCH /config: %d", resp.StatusCode)
	}
	want := map[bool]string{true: "sync_standby", false: "replica"}[on]
	s.await("another mode of replication", func() bool {
		for _, m := range s.members() {
			if on && m.Role == want || !on && m.Role == "sync_standby" {
				return on
			}
		}
		return !on
	})
	return nil
}

// detected fails unless the audit log says that the database has lost writes.
func (s *service) detected() error {
	r := s.replicas[0]
	r.configure(s.direct)
	out, err := r.Run(s.m.t.Context(), "", "audit", "list", "--action", "grant_fast_forwarded", "--limit", "0", "--json")
	if err != nil {
		return err
	}
	n := bytes.Count(out, []byte(`"grant_fast_forwarded"`))
	fmt.Printf("    the audit log has %d events grant_fast_forwarded\n", n)
	if n == 0 {
		return fmt.Errorf("no grant_fast_forwarded in the audit log")
	}
	return nil
}
