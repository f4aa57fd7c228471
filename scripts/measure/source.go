package main

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os/exec"
	"path"
	"strings"
)

// goFile is a parsed file. name is relative to the root of the repository.
type goFile struct {
	name   string
	syntax *ast.File
}

func (f goFile) dir() string { return path.Dir(f.name) }

// tracked returns the names of the repository's files that match the patterns of git ls-files.
func tracked(root string, patterns ...string) ([]string, error) {
	out, err := exec.Command("git", append([]string{"-C", root, "ls-files", "--"}, patterns...)...).Output()
	return strings.Fields(string(out)), err
}

// production reports whether a Go file is part of the server or the command: not a test, an example or a tool.
func production(name string) bool {
	if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "test/") {
		return false
	}
	top, _, _ := strings.Cut(name, "/")
	return top == "cmd" || top == "server" || top == "storage" || top == "clients" || top == "migrations"
}

// parseProduction parses all production files that a release is built of, with comments.
func parseProduction(root string, fset *token.FileSet) ([]goFile, error) {
	names, err := tracked(root, "*.go")
	if err != nil {
		return nil, err
	}
	var files []goFile
	for _, name := range names {
		if !production(name) {
			continue
		}
		if built, err := build.Default.MatchFile(path.Join(root, path.Dir(name)), path.Base(name)); err != nil {
			return nil, err
		} else if !built {
			continue
		}
		syntax, err := parser.ParseFile(fset, path.Join(root, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, goFile{name, syntax})
	}
	return files, nil
}
