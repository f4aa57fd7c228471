// Package token mints, rotates, checks and ends tokens.
//
// It is the only package that imports fosite: see fosite.go.
package token
