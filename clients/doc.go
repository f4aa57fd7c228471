// Package clients defines what a client is: its metadata and policies, how they are validated, and how a client describes
// itself. It neither stores nor fetches anything; that is the business of clients/registry and clients/fetch.
package clients
