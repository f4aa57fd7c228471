// Package directory reads the users of a Django site where they are: in Django's own table, in the database of Latchkey or in another one.
//
// Store replaces the users of a storage.Store by them. What is kept there of each user who has had a session is a row with the key
// of the account, the password hash that was verified last, and the epoch (see storage.Users.EnterUser): a session lives while the account
// is there, is active and has that hash. Nothing in Django's table is changed but last_login and passwords, and only on request.
//
// No answer of this package turns an outage into a missing user: a table that is unavailable, empty, or another one than at the start, is
// storage.ErrUnavailable.
package directory
