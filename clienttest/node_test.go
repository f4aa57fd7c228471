package clienttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"latchkey/latchkeytest"
	"latchkey/latchkeytest/debian"
)

// nodeTests are the files of node/ and the servers that they run against.
var nodeTests = []struct {
	name, file string
	server     func(*testing.T) *latchkey
}{
	{"openid-client", "openid-client.test.js", func(t *testing.T) *latchkey { return serve(t) }},
	{"oauth4webapi", "oauth4webapi.test.js", func(t *testing.T) *latchkey { return serve(t, "--registration=open") }},
	{"oidc-client-ts", "oidc-client-ts.test.js", func(t *testing.T) *latchkey { return serve(t) }},
	{"mcp", "mcp.test.js", func(t *testing.T) *latchkey { return demo(t) }},
	{"mcp conformance", "mcp-conformance.test.js", func(t *testing.T) *latchkey { return demo(t) }},
	{"mcp with a path in the issuer", "mcp.test.js", demoAtPath},
}

func TestNode(t *testing.T) {
	t.Parallel()
	needPackages(t)
	files, err := filepath.Glob("node/*.test.js")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return file == "node/mcp-client-document.test.js" }) // TestClientDocument
	for _, test := range nodeTests {
		files = slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == test.file })
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.server(t).test(t, "node", "node", "--test", "--test-reporter=spec", test.file)
		})
	}
	if len(files) > 0 {
		t.Errorf("nobody runs %q", files)
	}
}

// test runs a test in another language, in a folder beside this file.
func (l *latchkey) test(t *testing.T, folder, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = patience / 10
	cmd.Dir = folder
	cmd.Env = append(l.Environment(),
		latchkeytest.BinaryVariable+"="+l.Binary, "CLIENTTEST_USERNAME="+username, "CLIENTTEST_PASSWORD="+password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	t.Logf("%s", out)
}

// needPackages installs what node/package-lock.json names, and nothing when that was done before.
func needPackages(t *testing.T) {
	t.Helper()
	debian.Need(t, debian.Programs("node", "npm"), "nodejs", "npm")
	// What the libraries are made for: Node's own Web Cryptography, for one thing.
	if out, err := exec.Command("node", "-p", "parseInt(process.versions.node) >= 20 || process.version").Output(); err != nil || string(out) != "true\n" {
		t.Fatalf("Node 20 or later is needed, this is %s%v", out, err)
	}
	if err := installPackages(); err != nil {
		t.Fatal(err)
	}
}

var installPackages = sync.OnceValue(func() error {
	lock, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		return err
	}
	// npm's `omit-lockfile-registry-resolved` keeps the addresses of somebody's registry out of it.
	if bytes.Contains(lock, []byte(`"resolved"`)) {
		return errors.New(`node/package-lock.json has "resolved" addresses: npm config set omit-lockfile-registry-resolved true, and make it anew`)
	}
	sum := sha256.Sum256(lock)
	mark, want := "node/node_modules/.latchkey-lock", []byte(hex.EncodeToString(sum[:]))
	if done, err := os.ReadFile(mark); err == nil && slices.Equal(done, want) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = "node"
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New("npm ci: " + err.Error() + ": " + string(out))
	}
	return os.WriteFile(mark, want, 0o600)
})
