package hatest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/latchkeytest"
	"latchkey/latchkeytest/debian"
	"latchkey/latchkeytest/port"
)

// packages are the programs of the drill, with Debian's packages that have them.
var packages = map[string]string{
	"patroni": "patroni python3-etcd postgresql", "etcd": "etcd-server", "haproxy": "haproxy", "pgbouncer": "pgbouncer",
}

// install installs the programs that are missing. Their services are not started.
func install(t *testing.T) {
	t.Helper()
	for program, names := range packages {
		debian.Need(t, debian.Programs(program), strings.Fields(names)...)
	}
}

// machine is the one machine on which everything runs.
type machine struct {
	t      *testing.T
	folder string
	// credential is the user that runs the programs: Postgres and PgBouncer refuse root.
	credential *syscall.Credential
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	// The other user must be able to enter the folder.
	folder, err := os.MkdirTemp("/tmp", "latchkey-ha-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the logs are in %s", folder)
			return
		}
		os.RemoveAll(folder)
	})
	m := &machine{t: t, folder: folder}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		m.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	m.give(folder)
	return m
}

// give makes the user of the programs the owner of a file.
func (m *machine) give(path string) string {
	if m.credential != nil {
		if err := os.Chown(path, int(m.credential.Uid), int(m.credential.Gid)); err != nil {
			m.t.Fatal(err)
		}
	}
	return path
}

func (m *machine) write(name string, content []byte) (path string) {
	path = filepath.Join(m.folder, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return m.give(path)
}

// configure copies a file of deploy/, with replacements: pairs of what must occur in it, and what to put there.
func (m *machine) configure(source, name string, pairs ...string) (path string) {
	m.t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "deploy", source))
	if err != nil {
		m.t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(content, []byte(pairs[i])) {
			m.t.Fatalf("deploy/%s has no %q: change the drill with it", source, pairs[i])
		}
	}
	return m.write(name, []byte(strings.NewReplacer(pairs...).Replace(string(content))))
}

// start runs a program until the test ends.
func (m *machine) start(program string, args ...string) *latchkeytest.Process {
	m.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = m.folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=" + m.folder}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: m.credential}
	p, err := latchkeytest.StartProcess(cmd, filepath.Join(m.folder, fmt.Sprintf("log-%s-%s", program, filepath.Base(args[len(args)-1]))))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(p.Kill)
	return p
}

// keep runs a program until the test ends, and again whenever it ends by itself, as systemd does with Restart=always.
func (m *machine) keep(program string, args ...string) {
	m.t.Helper()
	p := m.start(program, args...)
	go func() {
		for {
			<-p.Ended()
			if m.t.Context().Err() != nil { // the test ends
				return
			}
			fmt.Printf("    %s has ended by itself, and is started again\n", program)
			time.Sleep(100 * time.Millisecond)
			p = m.start(program, args...)
		}
	}()
}

// ports returns free ports.
func ports(t *testing.T, n int) (all []string) {
	t.Helper()
	for range n {
		free, err := port.Free()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strconv.Itoa(free))
	}
	return all
}

// family returns a process and all that descend from it.
func family(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		// "pid (name) state parent …"; the name may have spaces and brackets.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		children[parent] = append(children[parent], child)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

func signal(pids []int, s syscall.Signal) {
	for _, pid := range pids {
		syscall.Kill(pid, s)
	}
}
