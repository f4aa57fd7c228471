// Package backchannel notifies clients that a browser session has ended (OpenID Connect Back-Channel Logout 1.0). It sends the
// notices in the outbox storage.LogoutNotices.
//
// A notice is sent at least once, and only once unless a process dies or the client does not respond. It is retried
//
//   - until it expires, if there is no response or a temporary error (408, 429 and every 5xx);
//   - for a quarter of an hour, if the client refuses it (every other status except 2xx, including redirects), since the client
//     may be in the middle of a deployment. Then it is abandoned, since the client would refuse it again.
//
// The delay doubles from 5 seconds to half an hour. A client whose server does not respond does not delay others: each host has
// at most four requests in progress, and a host that did not respond gets no requests during the delay.
package backchannel
