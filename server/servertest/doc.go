// Package servertest runs a whole server in the process of a test.
package servertest
