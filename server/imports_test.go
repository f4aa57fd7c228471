package server_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// levels are the packages from the bottom up. A package may import those of lower levels only.
var levels = [][]string{
	{"storage", "migrations", "admin", "server/reasons", "server/web/panel", "server/web/look", "server/web/outcome", "clients/colour", "clients/strictjson", "storage/span", "storage/failpoint", "server/internal/request", "server/internal/metrics", "server/internal/seal", "server/internal/mac", "server/internal/form", "server/internal/qr", "server/internal/pyjson"},
	{"storage/internal/row", "storage/dryrun", "clients", "clients/fetch", "server/internal/safehttp", "server/protocol", "server/keys", "server/replica", "server/internal/audit", "server/password", "server/users/input", "server/internal/outage", "server/internal/outbox"},
	{"storage/internal/alike", "server/internal/alert"},
	{"storage/postgres", "storage/sqlite", "clients/document", "server/claims", "server/internal/jwt", "server/internal/jwks", "server/internal/breached", "server/users", "server/users/external", "server/mail", "server/route", "server/simplejwt/codec", "server/simplejwt/drf"},
	{"storage/directory", "clients/registry", "server/proof", "server/clientauth", "server/dpop", "server/factors", "server/web"},
	{"storage/blacklist", "server/web/entered", "server/session", "server/token", "server/bearer", "server/backchannel", "server/grants", "server/trail", "server/writeback"},
	{"server/flow", "server/personal", "server/operator", "server/figures", "server/webhooks"},
	{"server/authorize"},
	// Handler packages never import each other.
	{"server/oauth", "server/selfhelp", "server/login", "server/consent", "server/device", "server/television", "server/account", "server/security", "server/console", "server/logo", "server/simplejwt", "server/admin", "server/scim"},
	{"server/shadow"},
}

// Imports point down, libraries have one door each, and handler packages never import each other: docs/architecture.md.
func TestImports(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)

	only := map[string][]string{ // library → the packages that may import it
		"github.com/ory/fosite":              {"latchkey/server/token"},
		"github.com/danielgtaylor/huma/v2":   {"latchkey/server/admin"},
		"github.com/go-webauthn":             {"latchkey/server/factors"},
		"github.com/pquerna/otp":             {"latchkey/server/factors"},
		"github.com/gorilla/mux":             {"latchkey/server/route", "latchkey/bench"}, // bench: the floor is a server on the same router
		"code.dny.dev/ssrf":                  {"latchkey/server/internal/safehttp"},
		"go.opentelemetry.io/otel/exporters": {"latchkey/server"},
		"github.com/jackc/pgx":               {"latchkey/storage/postgres", "latchkey/storage/postgres/postgrestest", "latchkey/storage/postgres/postgrestest/cluster", "latchkey/bench", "latchkey/cmd/latchkey"},
		"modernc.org/sqlite":                 {"latchkey/storage/sqlite"},
		"github.com/go-sql-driver":           {"latchkey/storage/directory"},
		"github.com/pressly":                 {"latchkey/migrations"},
		"github.com/wneessen/go-mail":        {"latchkey/server/mail"},
		"github.com/alecthomas":              {"latchkey/cmd/latchkey"},
		// What kills a process is for tests, whose imports are not looked at here.
		"latchkey/storage/failpoint/failpointtest": {},
	}
	level := make(map[string]int)
	for i, names := range levels {
		for _, name := range names {
			level["latchkey/"+name] = i
		}
	}
	missing := maps.Clone(level)
	for _, p := range packages {
		for _, imported := range p.Imports {
			for library, doors := range only {
				if under(imported, library) && !slices.Contains(doors, p.ImportPath) {
					t.Errorf("%s imports %s: that is for %v", p.ImportPath, imported, doors)
				}
			}
			of, ruled := level[p.ImportPath]
			if !ruled || !under(imported, "latchkey") {
				continue
			}
			if below, known := level[imported]; !known || below >= of {
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
		delete(missing, p.ImportPath)
	}
	for name := range missing {
		t.Errorf("there is a rule for %s, but no such package", name)
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
