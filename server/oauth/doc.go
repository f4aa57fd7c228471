// Package oauth speaks the wire formats of the OAuth RFCs for the token service.
package oauth
