// Package users manages and authenticates the users.
//
// # Guessing
//
// An attempt takes one from each of these buckets before the password is looked at, and gets it back when it succeeds or
// was never checked, so that parallel guesses count like serial ones and only wrong guesses cost anything:
//
//	an account from an address                                  20 at once, then one every 30 s
//	an address, whatever the account                            100 at once, then one every 3 s
//	an account from all networks that never logged in to it     100 at once, then one every 36 s
//
// A network is an IPv4 address or an IPv6 /64; a successful login makes it known to the account for 30 days. The last bucket is the
// limit of 100 of NIST SP 800-63B §5.2.2, refilled within an hour: it stops guesses that are spread over many addresses. Attempts from a
// known network do not draw from it, so an attacker elsewhere can't lock the owner out. If the client's address is unknown, the
// attempt draws from the last bucket only, and makes no network known. Unknown names are limited in the same way.
// The buckets' keys are MACs, so the table reveals neither names nor addresses.
//
// # Time
//
// A wrong password, an unknown name, an inactive user and a user without a password take the same work. That is easy
// while all hashes cost the same, and imported hashes do not: [Service.Run] therefore knows which costs there are and how
// common they are, an unknown name always takes the work of one of them, and while they differ every failure is answered
// at a multiple of a time that is longer than the most expensive takes.
package users
