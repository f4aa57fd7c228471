// Package password hashes and verifies passwords, with a limited number of workers.
//
// New hashes are argon2id in PHC strings. Argon2id and argon2i in PHC strings, bcrypt in crypt strings and every format of
// Django's are verified, so imported users can log in without a reset. A string that is malformed, of an unknown
// algorithm, or above the limits of this package never verifies; this is not an error and takes as long as a valid one.
package password
