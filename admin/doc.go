// Package admin is the client of Latchkey's API for operators, /admin/v1, and the types of its bodies. docs/admin-api.md tells how to
// get a token for it.
//
// Every method may be called from any goroutine. An answer that is no success is a *Problem.
package admin
