// Package token mints, rotates, checks and ends every token, whichever route speaks for it.
//
// It is the only package that imports fosite.
package token
