// Package safehttp fetches what strangers name: the one client for requests that leave the server because of a URL in
// somebody's metadata.
//
// Such a URL must not reach what only this machine can reach (server-side request forgery), and who named it must not learn from
// the answer, or from how long it takes, what is there. So:
//
//   - https only, but where [Options.AllowHTTP] says otherwise; TLS 1.2 or newer; no user information, no fragment.
//   - A host is a name or an address in its usual notation; decimal, octal and hexadecimal ones are refused.
//   - Port 443 and those from 1024 on, without those of other protocols that the Fetch standard blocks; 80 for http.
//   - A name is resolved once. The addresses are vetted and dialled as they were vetted, and once more looked at when the socket
//     is about to connect: a name that changes what it points to gains nothing.
//   - Refused are private, loopback, link-local, shared (CGNAT), NAT64, IPv4-mapped, 6to4, Teredo, multicast, documentation and
//     reserved addresses, those of this machine's own interfaces, and those in [Config.Own].
//   - No redirects, no proxy from the environment, no cookies, no compression, nothing sent but what is asked for.
//   - Headers, body, time and the number of requests at once are bounded.
package safehttp
