// Package users manages and authenticates the users.
//
// # Guessing
//
// An attempt takes one from each of these buckets before the password is looked at, and gets it back when it succeeds or
// was never checked, so that parallel guesses count like serial ones and only wrong guesses cost anything:
//
//	an account from an address                                  20 at once, then one every 30 s
//	an address, whatever the account                            100 at once, then one every 3 s
//	an IPv6 /56, whatever the account                           200 at once, then one every 1.5 s
//	an IPv6 /48, whatever the account                           400 at once, then one every 0.75 s
//	an account from all networks that never logged in to it     100 at once, then one every 36 s
//
// A network is an IPv4 address or an IPv6 /64; a successful login makes it known to the account for 30 days, twenty networks at most at
// once and twenty more in 30 days. The last bucket is the
// limit of 100 of NIST SP 800-63B §5.2.2, refilled within an hour: it stops guesses that are spread over many addresses. Attempts from a
// known network draw from the first two only, so an attacker elsewhere, or in the same /56, can't lock the owner out. If the client's
// address is unknown, the attempt draws from the last bucket only, and makes no network known. Unknown names are limited in the same way.
// The buckets' keys are MACs, so the table reveals neither names nor addresses.
//
// # Overload
//
// The pool that computes the hashes serves known networks first, leaving every fourth place to others, and among these the network that
// asked for least in the last 10 to 20 s, compared by its /48 (or the /24 of IPv4), then by its /56, then by itself. When the queue is
// full or the wait too long, a network that asked for more than 20 is throttled (429), since the overload is its own; others get
// ErrOverload (503). What was not checked is no guess and costs nothing in the buckets.
//
// # Time
//
// A wrong password, an unknown name, an inactive user and a user without a password take the same work. That is easy
// while all hashes cost the same, and imported hashes do not: [Service.Run] therefore knows which costs there are and how
// common they are, an unknown name always takes the work of one of them, and while they differ every failure is answered
// at a multiple of a time that is longer than the most expensive takes.
package users
