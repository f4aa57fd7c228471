package clients

import (
	"slices"
	"strings"
	"time"
)

// MaxDocument bounds a client ID metadata document, in bytes (draft-ietf-oauth-client-id-metadata-document §8.7).
const MaxDocument = 5 << 10

// documentScheme begins a client_id that is the URL of the client's metadata document.
const documentScheme = "https://"

func isDocumentID(id string) bool { return strings.HasPrefix(id, documentScheme) }

// checkDocumentID holds a client_id to the draft's §3. A query is only advised against there. It gives the host, with its
// port if there is one.
func checkDocumentID(id string) (host string, fault *MetadataError) {
	u, err := parseURI(id)
	if err == nil {
		err = checkAuthority(u)
	}
	switch {
	case err != nil:
		return "", refuseDocument("the client_id is not the URL of a metadata document: %v", err)
	case u.Path == "":
		return "", refuseDocument("the client_id is not the URL of a metadata document: it has no path")
	case hasDotSegment(u.EscapedPath()):
		return "", refuseDocument("the client_id is not the URL of a metadata document: dot segments (. and ..) are not allowed in the path")
	}
	return strings.ToLower(u.Host), nil
}

// refuseDocument says to a developer why the document makes no client.
func refuseDocument(format string, args ...any) *MetadataError {
	fault := invalid("client_id", format, args...)
	fault.Code = "invalid_client"
	return fault
}

// readDocument makes the metadata of a client of the document at its client_id.
func readDocument(id string, body []byte) (Metadata, error) {
	if len(body) > MaxDocument {
		return Metadata{}, refuseDocument("the metadata document is longer than %d bytes", MaxDocument)
	}
	d, fault := readDescribed(body)
	if fault != nil {
		return Metadata{}, refuseDocument("the metadata document can't be used: %v", fault)
	}
	// §4: the same text, so that nobody's document speaks for another client.
	if own, ok := d.text("client_id"); !ok || own != id {
		return Metadata{}, refuseDocument("the metadata document is not of this client: its client_id must be the URL that it is at, character by character")
	}
	if fault := d.settleKeys(); fault != nil {
		return Metadata{}, refuseDocument("the metadata document can't be used: %v", fault)
	}
	metadata, _, err := d.settle(Policy{})
	if err != nil {
		return Metadata{}, refuseDocument("the metadata document can't be used: %v", Faults(err)[0])
	}
	return metadata, nil
}

// settleKeys finds the authentication method of a client with which no secret can be shared (§4.1).
func (d *described) settleKeys() *MetadataError {
	for _, member := range [...]string{"client_secret", "client_secret_expires_at"} {
		if _, ok := d.members[member]; ok {
			return invalid(member, "it does not belong into a public document")
		}
	}
	if d.TokenEndpointAuthMethod == "" && len(d.methods) == 0 {
		// The default of RFC 7591 §2 is a shared secret, which there can't be.
		d.TokenEndpointAuthMethod = AuthNone
		if d.hasKeys() {
			d.TokenEndpointAuthMethod = AuthPrivateKeyJWT
		}
	}
	if d.TokenEndpointAuthMethod != "" && !keyless(d.TokenEndpointAuthMethod) {
		return invalid("token_endpoint_auth_method", "%q is not one of %s, %s: no secret can be shared with a client that a document describes",
			shorten(d.TokenEndpointAuthMethod), AuthNone, AuthPrivateKeyJWT)
	}
	d.methods = slices.DeleteFunc(d.methods, func(method string) bool { return !keyless(method) })
	if d.TokenEndpointAuthMethod == "" && len(d.methods) == 0 {
		return invalid("token_endpoint_auth_methods_supported", "none of these can be used with a document: use %s or %s", AuthNone, AuthPrivateKeyJWT)
	}
	return nil
}

// keyless reports whether a method needs no key that both sides know.
func keyless(method string) bool { return method == AuthNone || method == AuthPrivateKeyJWT }

// MinFresh and MaxFresh bound how long a document is believed without asking again.
const (
	MinFresh = 5 * time.Minute
	MaxFresh = 24 * time.Hour
)
