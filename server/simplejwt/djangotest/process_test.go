package djangotest

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for a process: the machine may be slow and busy.
const patience = 60 * time.Second

// guard ends the process group $1 when its standard input closes without a word: then the test has ended without
// its cleanup, by kill -9 for example.
const guard = `read -r word; [ -n "$word" ] || kill -s TERM -- "-$1"`

// process is a server that the test runs.
type process struct {
	cmd   *exec.Cmd
	log   string
	done  chan struct{}
	guard io.WriteCloser
}

// startProcess runs a server until the test ends, and waits until its log says that it serves: ready's first group is its
// address.
func startProcess(t *testing.T, cmd *exec.Cmd, ready *regexp.Regexp) (address string, p *process) {
	t.Helper()
	p = &process{cmd: cmd, log: filepath.Join(t.TempDir(), "log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// The files are the process's own: a pipe that outlives it would keep `go test` waiting.
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.stop(t) })
	if err := p.startGuard(); err != nil {
		t.Fatal(err)
	}
	return p.await(t, ready), p
}

func (p *process) startGuard() error {
	g := exec.Command("/bin/sh", "-c", guard, "sh", itoa(p.cmd.Process.Pid))
	g.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := g.StdinPipe()
	if err != nil {
		return err
	}
	if err := g.Start(); err != nil {
		return err
	}
	p.guard = guarded{in, g}
	return nil
}

// guarded tells the guard that all is well when it is closed, and waits for it.
type guarded struct {
	io.WriteCloser
	cmd *exec.Cmd
}

func (g guarded) Close() error {
	io.WriteString(g.WriteCloser, "stopped\n")
	g.WriteCloser.Close()
	return g.cmd.Wait()
}

// await gives the address that the log names.
func (p *process) await(t *testing.T, ready *regexp.Regexp) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		text, _ := os.ReadFile(p.log)
		if m := ready.FindSubmatch(text); m != nil {
			return string(m[1])
		}
		select {
		case <-p.done:
			text, _ = os.ReadFile(p.log)
			t.Fatalf("%s ended at its start:\n%s", p.cmd.Path, text)
		case <-deadline:
			t.Fatalf("%s does not serve after %s:\n%s", p.cmd.Path, patience, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the process in an orderly way, and after a while in the other way.
func (p *process) stop(t *testing.T) {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience / 2):
		t.Errorf("%s did not stop when it was asked to", p.cmd.Path)
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // what is left of the group: nothing
	<-p.done
	if p.guard != nil {
		p.guard.Close()
	}
	if t.Failed() {
		text, _ := os.ReadFile(p.log)
		t.Logf("the end of the log of %s:\n%s", filepath.Base(p.cmd.Path), tail(text, 6000))
	}
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
