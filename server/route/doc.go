// Package route implements the classes of routes: what happens before and after the handler of every route of a class.
//
// It is the only package that imports gorilla/mux.
package route
