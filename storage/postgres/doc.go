// Package postgres keeps what storage.Store promises in a Postgres database (14 and later).
//
// Each method is one statement, or one batch that Postgres runs as one transaction: one round trip. There is no
// session state, so a pooler in transaction mode may stand in between (with default_query_exec_mode=exec in the URL
// where it can't keep prepared statements); LISTEN has a connection of its own and a poll beside it.
package postgres
