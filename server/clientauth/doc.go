// Package clientauth authenticates clients (RFC 6749 §2.3, RFC 7523 §2.2).
package clientauth
