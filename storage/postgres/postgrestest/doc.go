// Package postgrestest gives tests a Postgres: a fresh, migrated database for each test, or a cluster of its own for
// tests that must kill it.
//
// The server is the one of LATCHKEY_TEST_DATABASE_URL (a role that may create databases); else a throw-away cluster of
// this process, from the binaries in PATH or /usr/lib/postgresql; else, as root on Debian, the package is
// installed first. When none of it works the test fails: it is never skipped.
package postgrestest
