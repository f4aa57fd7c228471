// Package migrations brings the schema of a database up to what this release needs.
//
// The migrations are embedded, numbered and forward-only, one set per dialect; both end with the same tables and
// columns. The previous release runs on the new schema, so a database that is ahead of the binary is fine.
package migrations
