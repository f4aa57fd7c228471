package clients

import (
	"net/url"
	"strings"
)

// CanonicalResource returns the form in which identifiers of resources are compared: two that are the same URL by RFC 3986 §6.2 have the
// same. Scheme and host are in lower case, a port that the scheme implies is left out, and an empty path is a slash. Other URIs are
// compared as text.
func CanonicalResource(identifier string) string {
	u, err := url.Parse(identifier)
	if err != nil || u.Host == "" || u.User != nil {
		return identifier
	}
	port, ok := map[string]string{"https": ":443", "http": ":80"}[u.Scheme] // Parse returns it in lower case
	if !ok {
		return identifier
	}
	_, rest, _ := strings.Cut(identifier, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := strings.TrimSuffix(strings.ToLower(rest[:end]), port), rest[end:]
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return u.Scheme + "://" + authority + path
}
