// Package safehttp is the HTTP client for untrusted URLs, which come from clients' metadata.
//
// Such a URL must not reach internal services (server-side request forgery), and the client that supplied it must not learn
// from the result, or from the time it takes, which services exist. Therefore:
//
//   - https only, unless [Options.AllowHTTP] is set; TLS 1.2 or newer; no user information, no fragment.
//   - A host is a name or an address in its usual notation; decimal, octal and hexadecimal ones are refused.
//   - Only port 443 and ports from 1024 on, except those of other protocols that the Fetch standard blocks; 80 for http.
//   - A name is resolved once. Its addresses are checked, the checked addresses are dialled, and they are checked again when the
//     socket is about to connect, so that DNS rebinding has no effect.
//   - The following addresses are refused: private, loopback, link-local, shared (CGNAT), NAT64, IPv4-mapped, 6to4, Teredo, multicast, documentation and
//     reserved addresses, those of this machine's own interfaces, and those in [Config.Own].
//   - No redirects, no proxy from the environment, no cookies, no compression.
//   - Headers, body, time and the number of concurrent requests are limited.
package safehttp
