// Package password turns passwords into hash strings and checks them, on a pool of bounded size.
//
// New hashes are argon2id in PHC strings. Argon2id and argon2i in PHC strings, bcrypt in crypt strings and every format of
// Django's are verified, so that an imported user logs in without a reset. A string that is malformed, of an unknown
// algorithm, or more expensive than the limits of this package never verifies; it is no error and takes as long as
// one that does.
package password
