package applicationtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	applicationsPage = "../docs/applications.md"
	examplesFolder   = "../docs/examples/applications"
)

// checkDocs holds docs/applications.md to what the test sets: the flags of the client, and the file that it runs.
func (a application) checkDocs(t *testing.T) {
	t.Helper()
	has := []string{"(examples/applications/" + a.example + ")"}
	for _, flag := range a.here {
		has = append(has, "`"+flag+"`")
	}
	if a.postLogout != "" {
		has = append(has, "`--post-logout-redirect-uri")
	}
	docsRow(t, a.name, has...)
}

// docsRow expects these texts in the row of an application in docs/applications.md.
func docsRow(t *testing.T, name string, texts ...string) {
	t.Helper()
	content, err := os.ReadFile(applicationsPage)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || strings.TrimSpace(cells[1]) != name {
			continue
		}
		for _, text := range texts {
			if !strings.Contains(line, text) {
				t.Errorf("docs/applications.md does not have %s in the row of %s: %s", text, name, line)
			}
		}
		return
	}
	t.Errorf("docs/applications.md has no row for %s", name)
}

// TestExamples holds docs/examples/applications to what is run here.
func TestExamples(t *testing.T) {
	t.Parallel()
	examples, err := os.ReadDir(examplesFolder)
	if err != nil {
		t.Fatal(err)
	}
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, test := range tests {
		content, err := os.ReadFile(test)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(content)
	}
	for _, example := range examples {
		if !strings.Contains(code.String(), `"`+example.Name()+`"`) {
			t.Errorf("nothing here runs docs/examples/applications/%s", example.Name())
		}
	}
}
