// Package admin is the client of Latchkey's API for operators, /admin/v1: API has a method for each operation, and the types are those of
// the bodies. docs/admin-api.md says how to get a token for it. It imports the standard library only.
//
// Lists are iterators that read the next part when it is needed. A refusal is a *Problem.
package admin
