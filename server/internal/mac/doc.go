// Package mac computes and checks keyed MACs: HMAC-SHA-256.
package mac
