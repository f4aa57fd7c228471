// Package dpop checks proofs of possession (RFC 9449): that who sends a request has the private key that its tokens are bound to. It
// mints and stores no tokens.
package dpop
