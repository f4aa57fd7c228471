package server_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Imports point down, libraries have one door each, and handler packages never import each other: docs/architecture.md.
func TestImports(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)

	only := map[string][]string{ // library → the packages that may import it
		"github.com/ory/fosite":              {"latchkey/server/token"},
		"github.com/gorilla/mux":             {"latchkey/server/route"},
		"code.dny.dev/ssrf":                  {"latchkey/server/internal/safehttp"},
		"go.opentelemetry.io/otel/exporters": {"latchkey/server"},
		"github.com/jackc/pgx":               {"latchkey/storage/postgres", "latchkey/storage/postgres/postgrestest", "latchkey/storage/postgres/postgrestest/cluster", "latchkey/bench", "latchkey/cmd/latchkey"},
		"modernc.org/sqlite":                 {"latchkey/storage/sqlite"},
		"github.com/pressly":                 {"latchkey/migrations"},
		"github.com/alecthomas":              {"latchkey/cmd/latchkey"},
	}
	below := map[string][]string{ // package → what of ours it may import
		"latchkey/storage":                  {},
		"latchkey/clients":                  {"latchkey/storage"},
		"latchkey/clients/fetch":            {"latchkey/storage"},
		"latchkey/clients/document":         {"latchkey/clients", "latchkey/clients/fetch"},
		"latchkey/clients/registry":         {"latchkey/storage", "latchkey/clients", "latchkey/clients/document"},
		"latchkey/migrations":               {},
		"latchkey/server/keys":              {"latchkey/storage"},
		"latchkey/server/users":             {"latchkey/storage", "latchkey/server/internal/"},
		"latchkey/server/token":             {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/keys", "latchkey/server/users", "latchkey/server/internal/"},
		"latchkey/server/route":             {"latchkey/server/internal/"},
		"latchkey/server/web":               {"latchkey/storage", "latchkey/server/route", "latchkey/server/internal/"},
		"latchkey/server/session":           {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/users", "latchkey/server/internal/"},
		"latchkey/server/login":             {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/users", "latchkey/server/token", "latchkey/server/session", "latchkey/server/web", "latchkey/server/route", "latchkey/server/internal/"},
		"latchkey/server/consent":           {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/users", "latchkey/server/token", "latchkey/server/session", "latchkey/server/web", "latchkey/server/route", "latchkey/server/internal/"},
		"latchkey/server/account":           {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/users", "latchkey/server/token", "latchkey/server/session", "latchkey/server/web", "latchkey/server/route", "latchkey/server/internal/"},
		"latchkey/server/oauth":             {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/keys", "latchkey/server/users", "latchkey/server/token", "latchkey/server/session", "latchkey/server/web", "latchkey/server/route", "latchkey/server/internal/"},
		"latchkey/server/backchannel":       {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/internal/"},
		"latchkey/server/logo":              {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/route", "latchkey/server/internal/"},
		"latchkey/server/simplejwt":         {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/keys", "latchkey/server/token", "latchkey/server/route", "latchkey/server/internal/", "latchkey/server/simplejwt/"},
		"latchkey/storage/postgres":         {"latchkey/storage", "latchkey/migrations", "latchkey/internal/span"},
		"latchkey/storage/sqlite":           {"latchkey/storage", "latchkey/migrations", "latchkey/internal/span"},
		"latchkey/internal/span":            {},
		"latchkey/server/internal/request":  {},
		"latchkey/server/internal/metrics":  {},
		"latchkey/server/internal/safehttp": {"latchkey/internal/span"},
		"latchkey/server/internal/jwks":     {"latchkey/storage", "latchkey/clients", "latchkey/clients/", "latchkey/server/internal/"},
	}
	for _, p := range packages {
		for _, imported := range p.Imports {
			for library, doors := range only {
				if under(imported, library) && !slices.Contains(doors, p.ImportPath) {
					t.Errorf("%s imports %s: that is for %v", p.ImportPath, imported, doors)
				}
			}
			allowed, ruled := below[p.ImportPath]
			if !ruled || !under(imported, "latchkey") {
				continue
			}
			if !slices.ContainsFunc(allowed, func(a string) bool {
				return imported == a || strings.HasSuffix(a, "/") && strings.HasPrefix(imported, a)
			}) {
				t.Errorf("%s imports %s: not below it", p.ImportPath, imported)
			}
		}
		if p.ImportPath == "latchkey/storage" {
			for _, imported := range p.Imports {
				if strings.Contains(imported, ".") {
					t.Errorf("storage imports %s: the standard library only", imported)
				}
			}
		}
		delete(below, p.ImportPath)
	}
	for missing := range below {
		t.Errorf("a rule for %s, which is not there", missing)
	}
}

func under(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

type listed struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) (packages []listed) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "latchkey/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
