// Package route holds the request classes: what every request of a kind gets before and after its handler runs.
//
// It is the only package that imports gorilla/mux.
package route
