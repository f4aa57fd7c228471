// Package registry stores, finds and changes clients and protected resources. What a client is, and when it is valid, is the
// business of package clients; metadata documents are fetched by clients/document.
package registry
