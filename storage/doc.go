// Package storage says what Latchkey keeps and what a database that keeps it promises.
//
// The rows are plain structs, one file per entity. [Store] is the one wide interface; storage/postgres
// and storage/sqlite implement it, and storage/storagetest proves the promises on both, concurrency included.
// The package imports the standard library only.
//
// Times are UTC with microseconds. The zero time stands for SQL's NULL.
// Everything that proves possession (a secret, a token) is kept as a [Digest], never in clear.
package storage
