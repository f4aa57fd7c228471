// Package server wires the handlers, the listeners and the background work into one running authorization server.
package server
