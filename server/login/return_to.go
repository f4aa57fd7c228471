package login

import (
	"strings"

	"latchkey/server/route"
)

// accepted gives where the browser goes after the login: on with an authorization request or a logout, and the account page for
// everything else, so that nobody can make a link to our login lead to theirs (RFC 9700 §4.11.2). It compares text, since
// parsers and browsers disagree on what an odd address means.
func (h *Handlers) accepted(returnTo string) string {
	if _, ok := h.continuation(returnTo); ok {
		return returnTo
	}
	rest, ok := strings.CutPrefix(returnTo, h.BasePath+route.LogoutPath)
	if ok && (rest == "" || rest[0] == '?' && isQuery(rest[1:])) {
		return returnTo
	}
	return h.BasePath + route.AccountPath
}

// continuation gives the sealed authorization request of an address.
func (h *Handlers) continuation(returnTo string) (string, bool) {
	blob, ok := strings.CutPrefix(returnTo, h.BasePath+route.ContinuePath)
	return blob, ok && blob != "" && strings.Trim(blob, alphanumeric+"-_") == "" // base64url
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// isQuery: of the characters of RFC 3986 §3.4, those that url.Values.Encode writes.
func isQuery(s string) bool { return strings.Trim(s, alphanumeric+"-._~%+&=") == "" }
