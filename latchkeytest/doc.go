// Package latchkeytest builds the binary and runs it in processes of its own, for tests and benchmarks.
//
// It imports the standard library alone, so that the module clienttest uses it without the server's dependencies. A test that
// wants Postgres passes the URL of a database (see storage/postgres/postgrestest); without one the server has an SQLite file.
package latchkeytest
