package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"latchkey/latchkeytest/port"
)

// refreshes is how often a token is refreshed in the second run. Statements that ran that much more often than in the first
// run, which refreshes nothing, belong to each refresh; background work and caches that are filled once do not reach it.
const refreshes = 100

// leaf matches files that a reader need not open to follow a refresh: what every request and every statement passes, and small tools.
var leaf = regexp.MustCompile(`^(server/(route|internal|keys)/|server/[^/]+$|cmd/|storage/span/|storage/sqlite/(conn|tx|writer)\.go$)`)

// onTheWay reports whether one of the functions that ran takes a context or a request: the others compute values. A parameter without a
// name, which an interface of a library asks for, is of no use to the function.
func onTheWay(f *ast.File, fset *token.FileSet, ran []int) bool {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		from, to := fset.Position(fn.Body.Pos()).Line, fset.Position(fn.Body.End()).Line
		if !slices.ContainsFunc(ran, func(line int) bool { return from <= line && line <= to }) {
			continue
		}
		for _, p := range fn.Type.Params.List {
			if len(p.Names) == 0 || p.Names[0].Name == "_" {
				continue
			}
			switch types.ExprString(p.Type) {
			case "context.Context", "*http.Request":
				return true
			}
		}
	}
	return false
}

// refreshFiles returns the files whose statements run in each POST /oauth2/token with grant_type=refresh_token, on SQLite, and whether
// a file is on the way from the route to the SQL (see leaf and onTheWay).
func refreshFiles(root string) (files map[string]bool, err error) {
	temp, err := os.MkdirTemp("", "measure")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	binary := filepath.Join(temp, "latchkey")
	build := exec.Command("go", "build", "-cover", "-covermode=atomic", "-coverpkg=latchkey/...", "-o", binary, "./cmd/latchkey")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build with coverage: %w\n%s", err, out)
	}
	idle, err := statements(binary, filepath.Join(temp, "idle"), 0)
	if err != nil {
		return nil, err
	}
	busy, err := statements(binary, filepath.Join(temp, "busy"), refreshes)
	if err != nil {
		return nil, err
	}
	ran := map[string][]int{}
	for block, count := range busy {
		if count-idle[block] >= refreshes {
			name, position, _ := strings.Cut(block, ":")
			line, err := strconv.Atoi(strings.Split(position, ".")[0])
			if err != nil {
				return nil, fmt.Errorf("read coverage: %w", err)
			}
			name = strings.TrimPrefix(name, "latchkey/")
			ran[name] = append(ran[name], line)
		}
	}
	files = map[string]bool{}
	for name, lines := range ran {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files[name] = !leaf.MatchString(name) && onTheWay(f, fset, lines)
	}
	return files, nil
}

// statements returns how often each block of statements ran in a demo server that answers a login and n refreshes.
func statements(binary, folder string, n int) (map[string]int, error) {
	counters := filepath.Join(folder, "counters")
	if err := os.MkdirAll(counters, 0o700); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, binary, "demo", "--listen", address)
	server.Dir, server.Env = folder, append(os.Environ(), "GOCOVERDIR="+counters)
	if err := server.Start(); err != nil {
		return nil, err
	}
	clientErr := refresh(ctx, "http://"+address+"/oauth2/token", n)
	_ = server.Process.Signal(syscall.SIGTERM)
	if err := server.Wait(); err != nil {
		return nil, fmt.Errorf("demo server: %w", err)
	}
	if clientErr != nil {
		return nil, clientErr
	}
	profile := filepath.Join(folder, "profile")
	if out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+counters, "-o="+profile).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("read coverage: %w\n%s", err, out)
	}
	return readProfile(profile)
}

func freeAddress() (string, error) {
	free, err := port.Free()
	return port.Address(free), err
}

// refresh logs in at the token endpoint, once the server listens, and refreshes n times.
func refresh(ctx context.Context, endpoint string, n int) error {
	form := url.Values{"client_id": {"demo-client"}, "grant_type": {"password"}, "username": {"demo"}, "password": {"demo-password"}}
	for i := 0; i <= n; i++ {
		var answer struct {
			RefreshToken string `json:"refresh_token"`
		}
		resp, err := http.PostForm(endpoint, form)
		for ; err != nil && i == 0 && ctx.Err() == nil; resp, err = http.PostForm(endpoint, form) {
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			return err
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s (%w)", form.Get("grant_type"), resp.Status, err)
		}
		form = url.Values{"client_id": {"demo-client"}, "grant_type": {"refresh_token"}, "refresh_token": {answer.RefreshToken}}
	}
	return nil
}

// readProfile reads lines like latchkey/server/run.go:12.3,14.5 2 1: a block, its number of statements, how often it ran.
func readProfile(name string) (map[string]int, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	counts := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 {
			if counts[fields[0]], err = strconv.Atoi(fields[2]); err != nil {
				return nil, err
			}
		}
	}
	return counts, lines.Err()
}
