package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is the CPU time that each process has used so far.
type usage struct{ server, database, generator time.Duration }

func (u usage) minus(v usage) usage {
	return usage{u.server - v.server, u.database - v.database, u.generator - v.generator}
}

func readUsage(pid int, db *database) (u usage, err error) {
	if u.server, err = processCPU(pid); err != nil {
		return u, err
	}
	if db.postmaster != 0 {
		if u.database, err = familyCPU(db.postmaster); err != nil {
			return u, err
		}
	}
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		return u, err
	}
	u.generator = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	return u, nil
}

// process has the fields of /proc/PID/stat that are used.
type process struct {
	parent int
	own    time.Duration
	ended  time.Duration // of its children that have ended
}

func readProcess(pid int) (process, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	return parseStat(text)
}

// parseStat reads the fields after the name, which may hold anything: state, ppid, …; utime is field 14 of proc(5).
func parseStat(text []byte) (p process, err error) {
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return p, fmt.Errorf("/proc/PID/stat has %d fields", len(fields))
	}
	number := func(i int) time.Duration {
		n, e := strconv.ParseInt(fields[i-3], 10, 64)
		if e != nil {
			err = e
		}
		return time.Duration(n)
	}
	const tick = time.Second / 100 // USER_HZ, the same on every Linux
	p = process{parent: int(number(4)), own: (number(14) + number(15)) * tick, ended: (number(16) + number(17)) * tick}
	return p, err
}

func processCPU(pid int) (time.Duration, error) {
	p, err := readProcess(pid)
	return p.own, err
}

// familyCPU returns the CPU time of a process and of its children, those that have ended included.
func familyCPU(parent int) (time.Duration, error) {
	p, err := readProcess(parent)
	if err != nil {
		return 0, err
	}
	sum := p.own + p.ended
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, folder := range folders {
		pid, _ := strconv.Atoi(filepath.Base(folder))
		if child, err := readProcess(pid); err == nil && child.parent == parent {
			sum += child.own // one that ended while we looked is counted by the next reading
		}
	}
	return sum, nil
}

// residentMemory returns the resident memory of a process, in bytes.
func residentMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
}
