// Package keys holds the keys of the server: those derived from the root secret, those that sign tokens.
package keys
