// Package migrations migrates the schema of a database to the version that this release needs.
//
// The migrations are embedded, numbered and forward-only, one set per dialect; both end with the same tables and
// columns. The previous release runs on the new schema, so the schema may be newer than the binary.
package migrations
