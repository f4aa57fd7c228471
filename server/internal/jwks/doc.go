// Package jwks finds the public keys of clients, in their metadata or at the URL there, and caches them.
package jwks
