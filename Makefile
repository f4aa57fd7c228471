# make          the binary
# make test     every test, with the race detector, on SQLite and on a real Postgres
# make test-django  the simplejwt routes beside the real package, real Django APIs behind Latchkey, and the drill of docs/django.md
# make test-django-long  the drill with 2,000 sessions and 20,000 users
# make test-browser  the pages, applications with oidc-client-ts, and the refresh token's cookie, in a real browser
# make test-clients  standard client libraries of Go, Node and Python against the binary
# make test-applications  finished applications (oauth2-proxy, Apache, Auth.js, Django, …) against the binary
# make test-admin  what schemathesis makes of the OpenAPI document of the API for operators, against the binary with a filled database
# make test-scim  scim2-tester, a compliance client of SCIM 2.0, against the binary with a filled database
# make test-ha  the reference deployment of deploy/ under traffic, broken in every way that hatest knows
# make test-deploy  the Kubernetes manifests of deploy/ against the types of the API, and kubeconform
# make check    what CI runs: formatting, language, vet, staticcheck, govulncheck, tests
# make measure  sizes, widths and arrows of the code, in a table
# make bench    the load generator against SQLite and Postgres, in turns with a floor; make bench-compare BASE=rev beside another revision

SHELL := /bin/bash
GO    ?= go

KUBECONFORM := github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# The race detector needs a C compiler. On Debian, as root, it is installed; elsewhere its absence is said, not hidden.
# SQLite is C translated to Go, over memory that the detector ignores because it is not Go's: watching it finds nothing and takes
# half of the tests' CPU time. Hashes and signatures compute over memory of their own, which no other goroutine has. Regular expressions do
# not change, and their compilation was a third of the start of a process. Tests need no debugger.
UNWATCHED = $(addprefix modernc.org/,sqlite/lib libc memory) $(addprefix golang.org/x/crypto/,argon2 blowfish scrypt) crypto/internal/fips140/... \
  regexp regexp/syntax
RACE = $(shell command -v gcc >/dev/null 2>&1 || command -v cc >/dev/null 2>&1 && \
  echo -race -gcflags=all=-dwarf=false $(foreach p,$(UNWATCHED),"'-gcflags=$(p)=-race=false -dwarf=false'"))

# The packages that are built and tested at the same time.
PACKAGES = $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) + 1 )))

.PHONY: build test test-admin test-scim test-ha test-ha-short test-deploy test-long test-django test-django-long test-browser test-clients test-applications bench bench-compare check fmt language measure vet static vuln fuzz compiler clean

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o latchkey ./cmd/latchkey

compiler:
	@command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >/dev/null; \
	  else echo 'no C compiler: the tests run without the race detector' >&2; fi; }

# One Postgres cluster serves all test binaries of the run; see storage/postgres/postgrestest. It is built with the race detector too, so
# that no package is compiled twice. There is memory enough to collect garbage less often, in the compiler and in the tests. The race
# detector would sleep for a second before each test binary ends, vet is a target of its own, and while some tests wait, others run:
# the packages that take longest begin.
test: compiler
	GOGC=400 GORACE=atexit_sleep_ms=20 $(GO) run $(RACE) ./storage/postgres/postgrestest/cluster -- $(GO) test $(RACE) -vet=off -p $(PACKAGES) -timeout 30m ./storage/... ./cmd/latchkey ./server/oauth ./server ./...

test-long: compiler
	LATCHKEY_TEST_LONG=1 $(GO) run ./storage/postgres/postgrestest/cluster -- $(GO) test -timeout 60m ./server ./server/token/... ./server/oauth/... ./storage/...
	LATCHKEY_TEST_LONG=1 $(GO) run ./storage/postgres/postgrestest/cluster -- $(GO) test -timeout 30m -run KillNine ./cmd/latchkey
	$(MAKE) fuzz FUZZTIME=2m

# Installs Debian's packages of Django and simplejwt when they are missing, and fails when it can't. Where PyPI can be reached, what knows both
# releases runs with the newer one, too; each run says which it has. To look for differences:
# make test-django LATCHKEY_TEST_DJANGO_SEED=random LATCHKEY_TEST_DJANGO_REQUESTS=20000
DJANGOTEST = LATCHKEY_TEST_DJANGO=require $(GO) test -count=1 -timeout 40m -v ./server/simplejwt/djangotest/...
NEWER      = Django==5.2.* djangorestframework-simplejwt==5.5.1 psycopg[binary]==3.* gunicorn==23.* cryptography

test-django:
	@mkdir -p build
	$(DJANGOTEST)
	@if python3 -m venv build/django >build/django.log 2>&1 && build/django/bin/pip install -q $(foreach p,$(NEWER),'$(p)') >>build/django.log 2>&1; then \
	  LATCHKEY_TEST_DJANGO_PYTHON=$(CURDIR)/build/django/bin/python $(DJANGOTEST) -run '^(TestShadow|TestDrill)$$'; \
	else echo 'PyPI is out of reach, or python3 has no venv: only the releases of Debian ran'; tail -1 build/django.log; fi

test-django-long:
	LATCHKEY_TEST_DRILL=long $(DJANGOTEST) -run '^TestDrill$$'

# Installs Debian's chromium and Node, as root, where they are missing, and fails when it can't. Screenshots of every page are left
# in build/screenshots.
test-browser: build
	@missing=; \
	command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || missing=chromium; \
	command -v node >/dev/null 2>&1 || missing="$$missing nodejs"; command -v npm >/dev/null 2>&1 || missing="$$missing npm"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
	cd browsertest && npm ci --silent && rm -rf ../build/screenshots && node --test --test-concurrency=2 --test-reporter=spec *.test.js
	@echo "screenshots: $$(ls build/screenshots | wc -l) in build/screenshots"

# Needs Node and npm; installs the libraries of clienttest/node/package-lock.json, and Debian's of Python as root. Nothing is skipped.
test-clients:
	cd clienttest && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./... && $(GO) test -count=1 -timeout 10m -v ./...

# Needs Node and npm; installs what applicationtest/ pins from the module proxy, npm and PyPI, and Debian's Apache, Django and Flask as root.
# Nothing is skipped. Most of the time is spent waiting for access tokens to expire, hence -parallel.
test-applications:
	cd applicationtest && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./... && $(GO) test -count=1 -parallel 16 -timeout 20m -v ./...

# Needs PyPI, once. More of it: make test-admin EXAMPLES=200 SEED=7
test-admin: build
	scripts/schemathesis.sh

# Needs PyPI, once.
test-scim: build
	scripts/scim2-tester.sh

# Installs Debian's packages of Patroni, etcd, HAProxy and PgBouncer, as root, where they are missing, and fails when it can't.
# Some events: make test-ha LATCHKEY_TEST_HA_EVENTS='clock|switchover'
test-ha:
	LATCHKEY_TEST_HA=long $(GO) test -count=1 -timeout 40m -v ./hatest

test-ha-short:
	LATCHKEY_TEST_HA=short $(GO) test -count=1 -timeout 10m -v ./hatest

# The types need no network but the module proxy. kubeconform downloads schemas: where they are out of reach that is said, and is no failure.
test-deploy:
	cd deploy/kubernetes/check && $(GO) vet ./... && $(GO) test -count=1 ./...
	@out=$$($(GO) run $(KUBECONFORM) -strict -summary $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml)) 2>&1); code=$$?; echo "$$out" | tail -1; \
	if [ $$code = 0 ]; then :; elif grep -q 'failed downloading schema' <<<"$$out"; then echo 'kubeconform: its schemas are out of reach, not checked'; \
	else echo "$$out"; exit 1; fi

# Flags go into BENCHFLAGS; see docs/benchmarks.md.
bench:
	$(GO) run ./storage/postgres/postgrestest/cluster -durable -- $(GO) run ./bench $(BENCHFLAGS)

# Against another revision, in turns: make bench-compare BASE=main~10 BENCHFLAGS='-scenarios refresh -databases postgres'
bench-compare:
	@test -n "$(BASE)" || { echo 'say which revision: make bench-compare BASE=main~10'; exit 2; }
	@set -e; folder=$$(mktemp -d); trap 'git worktree remove --force $$folder/base; rm -rf $$folder' EXIT; \
	git worktree add --quiet --detach $$folder/base $(BASE); \
	(cd $$folder/base && CGO_ENABLED=0 $(GO) build -trimpath -o $$folder/latchkey ./cmd/latchkey); \
	$(GO) run ./storage/postgres/postgrestest/cluster -durable -- $(GO) run ./bench -limits=false -base $$folder/latchkey $(BENCHFLAGS)

check: fmt language vet static vuln test

fmt:
	@out=$$(git ls-files '*.go' | xargs $(GO) run $(GOFUMPT) -l); [ -z "$$out" ] || { echo "gofumpt would change:"; echo "$$out"; exit 1; }
	@! git grep -nE '^(<<<<<<<|>>>>>>>) ' || { echo 'these lines are left of a merge'; exit 1; }

# Comments, messages and documents in plain English: see scripts/measure/idiom.go.
language:
	@$(GO) run ./scripts/measure -language

measure:
	@$(GO) run ./scripts/measure

vet:
	$(GO) vet ./...

static:
	$(GO) run $(STATICCHECK) ./...

# The vulnerability database is on the network; where it is out of reach that is said, and is no failure.
vuln:
	@out=$$($(GO) run $(GOVULNCHECK) ./... 2>&1); code=$$?; \
	if [ $$code = 0 ]; then echo 'govulncheck: no known vulnerability'; \
	elif grep -qE 'dial tcp|no such host|connection refused|fetching vulnerabilities|i/o timeout|403|502' <<<"$$out"; then echo 'govulncheck: its database is out of reach, not checked'; \
	else echo "$$out"; exit 1; fi

# Each fuzz target for a while: make fuzz FUZZTIME=30s
FUZZTIME ?= 10s
fuzz:
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; done; done

clean:
	rm -f latchkey
