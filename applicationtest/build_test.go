package applicationtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var built struct {
	sync.Mutex
	folder   string
	programs map[string]func() error
}

// buildModule builds a program of a module in this folder, once, and returns its path. These modules are apart because their dependencies are
// many: nothing but go build reads them.
func buildModule(t *testing.T, module, pkg string) string {
	t.Helper()
	built.Lock()
	program := filepath.Join(built.folder, module)
	build := built.programs[module]
	if build == nil {
		build = sync.OnceValue(func() error {
			cmd := exec.Command("go", "build", "-o", program, pkg)
			cmd.Dir = module
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("go build in %s: %w: %s", module, err, out)
			}
			return nil
		})
		built.programs[module] = build
	}
	built.Unlock()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return program
}

func makeBuildFolder(parent string) (err error) {
	built.folder, built.programs = filepath.Join(parent, "programs"), map[string]func() error{}
	return os.Mkdir(built.folder, 0o755)
}
