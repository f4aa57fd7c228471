// Package jwt writes the JSON Web Tokens that this server signs, and reads JWTs strictly: its own, and those of others.
package jwt
