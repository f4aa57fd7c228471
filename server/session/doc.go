// Package session keeps who is signed in in a browser.
//
// What the cookie holds is drawn anew at every sign-in, and the database knows its MAC only: a cookie that was planted in
// a browser before somebody signed in there is worth nothing afterwards (OWASP ASVS 7.2.4), and neither is a copy of the
// database.
//
// A session ends when the user signs out, when it was idle for too long (unless the user wanted to be remembered), at its
// absolute end, when the user's epoch is raised (password changed, disabled, ended everywhere), and with the user.
//
// # Round trips
//
// [Manager.Find] is one. Once a minute at most, for each session, it is two: the second one notes that the session was
// seen. It is made in the request itself, so that a flood of requests can't pile up work that nobody waits for.
package session
