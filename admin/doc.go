// Package admin has the types of the bodies of Latchkey's API for operators, /admin/v1, for programs that call it. docs/admin-api.md
// says how to get a token for it.
package admin
