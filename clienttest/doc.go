// Package clienttest has the standard client libraries of Go, Node and Python go through the real binary: its endpoints and
// its pages. `make test-clients` runs it; nothing is skipped, so whatever is missing here is a failure.
//
// It is a module of its own, so that the libraries that only tests need stay out of the server's dependencies.
package clienttest
