// Package clients is the registry of the applications that may ask for tokens.
package clients
