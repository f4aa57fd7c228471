// Package mariadb starts MariaDB for tests.
package mariadb

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"latchkey/latchkeytest/debian"
	"latchkey/latchkeytest/port"
	"latchkey/storage/directory"
)

// mariadbd is where Debian's package puts the server.
const mariadbd = "/usr/sbin/mariadbd"

// Start starts a server of the test's own, and returns the URL of the empty database site, for its root. Without MariaDB the test is skipped, unless
// LATCHKEY_TEST_DJANGO is "require": then it is installed.
func Start(t testing.TB) string {
	t.Helper()
	look := debian.Programs(mariadbd, "mariadb-install-db")
	if os.Getenv("LATCHKEY_TEST_DJANGO") != "" {
		debian.Need(t, look, "mariadb-server")
	}
	if err := look(); err != nil {
		t.Skipf("no MariaDB: %v. LATCHKEY_TEST_DJANGO=require installs it.", err)
	}
	folder, err := os.MkdirTemp("", "latchkey-mariadb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	attributes := &syscall.SysProcAttr{}
	if os.Getuid() == 0 { // it refuses to run as root
		who, err := user.Lookup("mysql")
		if err != nil {
			t.Fatal(err) // the package makes this user
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(folder, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(folder, "data")
	install := exec.Command("mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	install.Dir, install.SysProcAttr = folder, attributes
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("mariadb-install-db: %v: %s", err, out)
	}
	free, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(mariadbd, "--no-defaults", "--datadir="+data, "--bind-address=127.0.0.1", fmt.Sprint("--port=", free), "--socket="+filepath.Join(folder, "s"), "--pid-file="+filepath.Join(folder, "pid"))
	server.Dir, server.SysProcAttr = folder, attributes
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGTERM)
		server.Wait()
	})
	db, err := directory.OpenMySQL(fmt.Sprintf("mysql://root@127.0.0.1:%d/mysql", free))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		if _, err = db.Exec(`CREATE DATABASE site CHARACTER SET utf8mb4`); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Sprintf("mysql://root@127.0.0.1:%d/site", free)
}
