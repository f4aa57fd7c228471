package postgrestest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const advice = `install it (Debian: apt-get install postgresql), put initdb and postgres into PATH, or set LATCHKEY_TEST_DATABASE_URL
to the URL of a server and a role that may create databases`

// Program returns the path of a program of Postgres, such as pg_dump.
func Program(t testing.TB, name string) string {
	t.Helper()
	folder, err := findBinaries()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, name)
}

// findBinaries gives the folder with initdb and postgres, installing the package when that is possible.
func findBinaries() (string, error) {
	if folder := lookForBinaries(); folder != "" {
		return folder, nil
	}
	if os.Getuid() != 0 {
		return "", fmt.Errorf("no Postgres here: %s", advice)
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("no Postgres here: %s", advice)
	}
	if err := install(); err != nil {
		return "", fmt.Errorf("no Postgres here, and installing it failed: %w: %s", err, advice)
	}
	if folder := lookForBinaries(); folder != "" {
		return folder, nil
	}
	return "", fmt.Errorf("the package postgresql brought no server: %s", advice)
}

// lookForBinaries prefers PATH, then the highest version that Debian's packages have put beside each other.
func lookForBinaries() string {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(initdb); err == nil && hasServer(filepath.Dir(real)) {
			return filepath.Dir(real)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	version := func(folder string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	for _, folder := range found {
		if hasServer(folder) {
			return folder
		}
	}
	return ""
}

func hasServer(folder string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// install installs Debian's package; test processes that run at the same time wait for the first one.
func install() error {
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "latchkey-postgres-install.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if lookForBinaries() != "" {
		return nil
	}
	fmt.Fprintln(os.Stderr, "postgrestest: installing the package postgresql")
	const noCluster = "/etc/postgresql-common/createcluster.conf"
	for _, step := range [][]string{
		{"apt-get", "update"},
		{"apt-get", "install", "-y", "--no-install-recommends", "postgresql-common"},
		// The package would make and start a cluster that nobody asked for.
		{"sed", "-i", "s/^#\\? *create_main_cluster.*/create_main_cluster = false/", noCluster},
		{"apt-get", "install", "-y", "--no-install-recommends", "postgresql"},
	} {
		cmd := exec.Command(step[0], step[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(step, " "), err, out)
		}
	}
	return nil
}
