package clienttest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/latchkeytest/debian"
)

// examples are the programs of docs/examples/login, and what runs them.
var examples = map[string]func(t *testing.T, program string) *exec.Cmd{
	"app.py":                   runPython,
	"requests_oauthlib_app.py": runPython,
	"main.go":                  runGo,
	"openid-client.js":         runNode,
	"oauth4webapi.js":          runNode,
}

// TestExamples runs each program against `latchkey demo` as its first lines say, and is the person who signs in.
func TestExamples(t *testing.T) {
	t.Parallel()
	debian.Need(t, libraries, pythonPackages...)
	needPackages(t)
	folder, err := filepath.Abs("../docs/examples/login")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(examples) {
		t.Errorf("docs/examples/login has %q, which are not those that are tried", files)
	}
	for name, command := range examples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := demo(t)
			cmd := command(t, filepath.Join(folder, name))
			cmd.Env = append(cmd.Env, "ISSUER="+l.Issuer, "CLIENT_ID=demo-app", "BROWSER=true", "LC_ALL=C.UTF-8")
			signIn(t, cmd)
		})
	}
}

// TestDocs holds docs/third-party.md to showing nothing but what is tried here: each block of code is part of a file.
func TestDocs(t *testing.T) {
	t.Parallel()
	var tried []string
	for _, pattern := range []string{"../docs/examples/login/*", "*_test.go", "node/*.js", "python/*.py"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			tried = append(tried, unindented(read(t, file)))
		}
	}
	blocks := regexp.MustCompile("(?s)\n```(?:go|js|python)\n(.*?)```\n").FindAllStringSubmatch(read(t, "../docs/third-party.md"), -1)
	if len(blocks) < 8 {
		t.Errorf("docs/third-party.md has %d blocks of code", len(blocks))
	}
	for _, block := range blocks {
		code := unindented(block[1])
		if !slices.ContainsFunc(tried, func(file string) bool { return strings.Contains(file, code) }) {
			t.Errorf("nothing here tries this:\n%s", block[1])
		}
	}
}

// unindented takes the white space from the ends of lines.
func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var invitation = regexp.MustCompile(`^Sign in at (http://\S+)$`)

// signIn runs a program, signs in where it says, and expects it to know who that was, also after a refresh.
func signIn(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var problems strings.Builder
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if m := invitation.FindStringSubmatch(lines.Text()); m != nil {
			person := newBrowser()
			if _, text := person.visit(t, m[1], ""); text != "You can close this window." {
				t.Errorf("in the end the browser shows %q", text)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	for _, label := range []string{"Signed in:", "Refreshed:"} {
		if !slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, label) && strings.Contains(line, username) }) {
			t.Errorf("the program does not say %q who it was: %q", label, said)
		}
	}
}

func runPython(t *testing.T, program string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), python, program)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "PYTHONNOUSERSITE=1", "PYTHONDONTWRITEBYTECODE=1"}
	return cmd
}

// runGo builds a program with the libraries of this module.
func runGo(t *testing.T, program string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return exec.CommandContext(t.Context(), path)
}

// runNode runs a program beside the packages of node/.
func runNode(t *testing.T, program string) *exec.Cmd {
	t.Helper()
	packages, err := filepath.Abs("node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(packages, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "package.json"), []byte(`{"type": "module"}`))
	write(t, filepath.Join(folder, "program.js"), []byte(read(t, program)))
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(folder, "program.js"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}
