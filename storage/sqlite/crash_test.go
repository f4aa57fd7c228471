package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"latchkey/storage"
	"latchkey/storage/sqlite"
	"latchkey/storage/sqlite/sqlitetest"
)

// crashVariable tells the test's own binary to be the process that is killed.
const crashVariable = "LATCHKEY_TEST_CRASH_DATABASE"

// TestWhatWasAcknowledgedSurvivesAKill kills a process that writes from many goroutines, and looks for each write
// that it had acknowledged.
func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "latchkey.db")
	sqlitetest.Open(t, path).Close()
	child := exec.Command(os.Args[0], "-test.run=^TestCrashingChild$")
	child.Env = append(os.Environ(), crashVariable+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if acknowledged = append(acknowledged, lines.Text()); len(acknowledged) == 500 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	child.Wait()
	if len(acknowledged) < 500 {
		t.Fatalf("%d writes, then: %v", len(acknowledged), child.ProcessState)
	}
	s := sqlitetest.Open(t, path)
	// The last line may be cut.
	for _, name := range acknowledged[:len(acknowledged)-1] {
		if _, err := s.UserByUsername(t.Context(), name); err != nil {
			t.Fatalf("%q was acknowledged: %v", name, err)
		}
	}
}

// TestCrashingChild is the process that is killed.
func TestCrashingChild(t *testing.T) {
	path := os.Getenv(crashVariable)
	if path == "" {
		t.Skip("runs only as the child of TestWhatWasAcknowledgedSurvivesAKill")
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for writer := range 16 {
		wg.Go(func() {
			for n := range 100_000 {
				name := fmt.Sprintf("%d-%d", writer, n)
				if err := s.CreateUser(t.Context(), &storage.User{Username: name, CreatedAt: now}); err != nil {
					return
				}
				fmt.Println(name)
			}
		})
	}
	wg.Wait()
}
