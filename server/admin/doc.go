// Package admin serves the API for operators below /admin/v1: users, clients, sessions and the audit trail, over HTTP. Its operations are
// declared with huma, which makes the OpenAPI document from the same types that requests are checked against.
//
// It decides nothing that the command line decides differently: both call the same services. It never answers without a token of this
// server for this API, except with the OpenAPI document, and never shows a secret a second time.
package admin
