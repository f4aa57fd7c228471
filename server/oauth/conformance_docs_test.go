package oauth_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/conformance.md names tests that there are.
func TestConformanceDocument(t *testing.T) {
	t.Parallel()
	const root = "../.."
	document, err := os.ReadFile(root + "/docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "build":
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return err
		case strings.HasSuffix(path, "_test.go"):
			source, err := os.ReadFile(path)
			tests.Write(source)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test[A-Za-z0-9_]+)(…|[/`])").FindAllStringSubmatch(string(document), -1)
	if len(names) < 40 {
		t.Errorf("the page names %d tests", len(names))
	}
	for _, name := range names {
		wanted := "func " + name[1]
		if name[2] != "…" {
			wanted += "("
		}
		if !strings.Contains(tests.String(), wanted) {
			t.Errorf("there is no test %s", name[1])
		}
	}
}
