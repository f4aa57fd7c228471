// Package session implements browser sessions: which user is signed in in which browser.
//
// The cookie's value is generated anew at every sign-in (OWASP ASVS 7.2.4), so a cookie that was planted in a browser before the
// sign-in is useless afterwards. The database holds only its MAC, so a copy of the database is useless too.
//
// A session ends when the user signs out, when it was idle for too long (unless the user wanted to be remembered), at its
// absolute end, when the user's epoch is raised (password changed, disabled, ended everywhere), and with the user.
//
// # Round trips
//
// [Manager.Find] takes one. At most once a minute for each session it takes a second one, which records when the session was last
// seen. It runs within the request, so that a flood of requests can't pile up background work.
package session
