// Package keys manages the server's keys: those derived from the root secret, and those that sign tokens.
package keys
