// Package trail shows operators what happened: the audit trail with the names of its users, and why the requests of a client were refused.
// The command line and the API for operators share it.
package trail
