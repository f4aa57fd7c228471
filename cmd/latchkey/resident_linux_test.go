package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// residentFile returns how many KB of mapped files are resident in a process (RssFile of proc_pid_status(5), since Linux 4.5).
func residentFile(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(status), "RssFile:")
	if !ok {
		t.Fatalf("no RssFile in %s", status)
	}
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

// TestUnmapProgram takes the program out of the resident memory while it runs on.
func TestUnmapProgram(t *testing.T) {
	before := residentFile(t, os.Getpid())
	unmapped, err := unmapProgram()
	if err != nil {
		t.Fatal(err)
	}
	if unmapped < 10<<20 {
		t.Errorf("mappings of %d bytes were found, less than the program has", unmapped)
	}
	if after := residentFile(t, os.Getpid()); after >= before {
		t.Errorf("%d KB of files were resident, and %d KB afterwards", before, after)
	}
}

// TestServersGiveBackWhatTheStartNeeded waits until a server has settled: it then has at most three quarters of its program resident.
func TestServersGiveBackWhatTheStartNeeded(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"serve", "demo"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, "")
			s.Start(command)
			started := residentFile(t, s.PID())
			for deadline := time.Now().Add(time.Minute); residentFile(t, s.PID()) > started*3/4; time.Sleep(100 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d KB of files were resident after the start, and are %d KB now", started, residentFile(t, s.PID()))
				}
			}
		})
	}
}
