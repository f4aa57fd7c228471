// Package backchannel tells clients that a browser session has ended (OpenID Connect Back-Channel Logout 1.0): it empties the outbox
// storage.LogoutNotices.
//
// A notice is sent at least once, and once only unless a process died or the client did not answer. It is sent again
//
//   - when there was no answer, or one that says to come back (408, 429 and every 5xx): until the notice's own end;
//   - when the client refused it (every other answer but 2xx, redirects among them): for a quarter of an hour, in which a client
//     may be half-way through a deployment; then it is given up, since the same notice would be refused again.
//
// The waiting time doubles from 5 seconds to half an hour. A client whose server does not answer holds up nobody else: no host has
// more than four requests under way, and one that did not answer is left alone for the waiting time, with all that is meant for it.
package backchannel
