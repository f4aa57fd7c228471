package latchkeytest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Patience is the time limit of every wait for a process: the machine may be slow and busy.
const Patience = 60 * time.Second

// guard ends the process group $1 when its standard input closes before a line is read: then the process that started it has
// ended without stopping it, after kill -9 for example.
const guard = `read -r line; [ -n "$line" ] || kill -s TERM -- "-$1"`

// Process is a running program. It has a process group of its own, and its output goes to a file.
type Process struct {
	cmd     *exec.Cmd
	log     string
	ended   chan struct{}
	err     error // of the program; valid when ended is closed
	killed  bool
	guard   *exec.Cmd
	release io.WriteCloser
}

// StartProcess starts a program whose output is appended to the file log. It may run as another user (see syscall.SysProcAttr).
func StartProcess(cmd *exec.Cmd, log string) (*Process, error) {
	// A pipe instead of the file would be inherited by children and could keep `go test` waiting.
	output, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, log: log, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if err := p.startGuard(); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

func (p *Process) startGuard() (err error) {
	g := exec.Command("/bin/sh", "-c", guard, "sh", strconv.Itoa(p.PID()))
	g.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.release, err = g.StdinPipe(); err != nil {
		return err
	}
	if err := g.Start(); err != nil {
		return err
	}
	p.guard = g
	return nil
}

// PID returns the process's ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended returns a channel that is closed when the program has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Log returns the output so far.
func (p *Process) Log() string {
	text, _ := os.ReadFile(p.log)
	return string(text)
}

// Stop asks the program to end and waits for it. It returns an error when the program had to be killed, or reported one; it does
// nothing after Kill.
func (p *Process) Stop() error {
	if p.killed {
		return nil
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	name := filepath.Base(p.cmd.Path)
	select {
	case <-p.ended:
	case <-time.After(Patience / 2):
		p.Kill()
		return fmt.Errorf("%s did not stop within %s of SIGTERM and was killed", name, Patience/2)
	}
	p.Kill() // children that are left
	if p.err != nil {
		return fmt.Errorf("%s ended with an error: %w", name, p.err)
	}
	return nil
}

// Kill kills the program and its children, as kill -9 does.
func (p *Process) Kill() {
	p.killed = true
	syscall.Kill(-p.PID(), syscall.SIGKILL)
	<-p.ended
	if p.guard != nil {
		io.WriteString(p.release, "ended\n")
		p.release.Close()
		p.guard.Wait()
		p.guard = nil
	}
}
