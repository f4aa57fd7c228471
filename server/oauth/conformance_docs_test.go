package oauth_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// allTests returns the names of all tests.
func allTests(t *testing.T) (names []string) {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "build":
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return err
		case strings.HasSuffix(path, "_test.go"):
			source, err := os.ReadFile(path)
			for _, found := range declared.FindAllSubmatch(source, -1) {
				names = append(names, string(found[1]))
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The pages that say which test holds what name tests and files that there are, and each of the statements has a test.
func TestConformanceDocument(t *testing.T) {
	t.Parallel()
	tests := allTests(t)
	naming := regexp.MustCompile("`(Test[A-Za-z0-9_]+)(…|[/`])")
	for page, least := range map[string]int{"conformance.md": 40, "security.md": 60, "statements.md": 150} {
		document, err := os.ReadFile(filepath.Join(repository, "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		names := naming.FindAllStringSubmatch(string(document), -1)
		if len(names) < least {
			t.Errorf("%s names %d tests", page, len(names))
		}
		for _, name := range names {
			there := func(test string) bool { return test == name[1] || name[2] == "…" && strings.HasPrefix(test, name[1]) }
			if !slices.ContainsFunc(tests, there) {
				t.Errorf("%s: there is no test %s", page, name[1])
			}
		}
		for _, file := range regexp.MustCompile("`((?:server|storage|clients|cmd|migrations)/[a-z0-9_/.]+)`").FindAllStringSubmatch(string(document), -1) {
			if _, err := os.Stat(filepath.Join(repository, file[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
		if page != "statements.md" {
			continue
		}
		for number := range 81 {
			row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \| .*$`, number+1)).FindAllString(string(document), -1)
			if len(row) != 1 || !naming.MatchString(row[0]) {
				t.Errorf("%s: statement %d has %d rows, or none with a test", page, number+1, len(row))
			}
		}
	}
}
