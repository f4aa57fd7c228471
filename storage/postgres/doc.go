// Package postgres implements storage.Store with a Postgres database (14 and later).
//
// Each method is one statement, or one batch that Postgres runs as one transaction: one round trip. There is no
// session state, so connections may go through a pooler in transaction mode; see Store.usePooler. Only
// Watch holds a connection of its own for LISTEN, and polls; behind a pooler it only polls.
package postgres
