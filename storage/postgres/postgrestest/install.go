package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"latchkey/latchkeytest/debian"
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
	if err := install(); err != nil {
		return "", fmt.Errorf("%w: %s", err, advice)
	}
	return lookForBinaries(), nil
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

// install installs Debian's package where there is no Postgres.
func install() error {
	look := func() error {
		if lookForBinaries() == "" {
			return errors.New("no Postgres here")
		}
		return nil
	}
	if look() == nil {
		return nil
	}
	const noCluster = "/etc/postgresql-common/createcluster.conf"
	common := func() error {
		_, err := os.Stat(noCluster)
		return err
	}
	if err := debian.Install(common, "postgresql-common"); err != nil {
		return err
	}
	// The package would make a cluster that no test asked for.
	if out, err := exec.Command("sed", "-i", "s/^#\\? *create_main_cluster.*/create_main_cluster = false/", noCluster).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", noCluster, err, out)
	}
	return debian.Install(look, "postgresql")
}
