package scim

import (
	"net/http"
	"strings"
)

// object is a JSON object; the values of a resource are texts, booleans, objects and lists of these.
type object = map[string]any

// The media types of bodies (RFC 7644 §3.1, §8.1).
const (
	mediaSCIM = "application/scim+json"
	mediaJSON = "application/json"
)

// contentType returns the media type of the answer: application/json for a client that accepts only that.
func contentType(r *http.Request) string {
	accept := strings.ToLower(r.Header.Get("Accept"))
	if strings.Contains(accept, mediaJSON) && !strings.Contains(accept, mediaSCIM) {
		return mediaJSON
	}
	return mediaSCIM
}
