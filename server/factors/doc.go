// Package factors is what users log in with besides a password: applications that show codes (TOTP, RFC 6238), passkeys and security keys
// (Web Authentication Level 3), recovery codes, and browsers that are remembered.
//
// It says whether a login needs a second factor, proves factors, and adds and removes them. The pages of the login and of the account use
// it, and so does the password grant. It never decides whether a password is right, and never writes a session.
//
// # What is stored
//
// The secret of an application is sealed with a key from the root secret, and bound to its user. Recovery codes and the cookies of browsers
// are stored as MACs. Of a passkey the public key is stored. So a copy of the database proves nothing.
//
// # Each proof counts once
//
// Of any number of requests at once, to any number of replicas, one is accepted with the code of a time step (RFC 6238 §5.2), with a
// recovery code, or with the answer to a challenge. Guesses of codes are limited per user, whatever network they come from: who gets that far
// knows the password.
package factors
