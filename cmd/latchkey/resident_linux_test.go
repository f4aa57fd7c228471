package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// residentFile returns how many KB of mapped files are resident in this process (RssFile of proc_pid_status(5)).
func residentFile(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(status), "RssFile:")
	if !ok {
		t.Skip("the kernel does not say how much of the files is resident")
	}
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb
}

// TestUnmapProgram takes the program out of the resident memory while it runs on.
func TestUnmapProgram(t *testing.T) {
	before := residentFile(t)
	unmapped, err := unmapProgram()
	if err != nil {
		t.Fatal(err)
	}
	if unmapped < 10<<20 {
		t.Errorf("mappings of %d bytes were found, less than the program has", unmapped)
	}
	if after := residentFile(t); after >= before {
		t.Errorf("%d KB of files were resident, and %d KB afterwards", before, after)
	}
}
