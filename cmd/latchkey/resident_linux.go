package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// unmapProgram takes the pages of the program's code and constants out of the resident memory of this process. They stay in the
// system's page cache, from which those in use come back at their next use, each at the price of a minor page fault; those that only
// the start needed (the command line, the checks of the configuration, the description of the API for operators) do not come back.
// It returns the bytes of the mappings, also beside an error: the system may describe one otherwise than expected.
func unmapProgram() (int, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	unmapped := 0
	for line := range bytes.Lines(maps) {
		var from, to uintptr
		var access string
		// proc_pid_maps(5): from-to access offset device inode path
		if _, err := fmt.Sscanf(string(line), "%x-%x %4s", &from, &to, &access); err != nil {
			return unmapped, fmt.Errorf("/proc/self/maps: %q: %w", line, err)
		}
		// Pages that can't be written are the same in the file. MADV_DONTNEED would lose what was written to the others.
		if access != "r-xp" && access != "r--p" || !bytes.HasSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte(" "+program)) {
			continue
		}
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); errno != 0 {
			return unmapped, fmt.Errorf("madvise: %w", errno)
		}
		unmapped += int(to - from)
	}
	return unmapped, nil
}
