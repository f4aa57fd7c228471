package clients

import (
	"slices"
	"strings"
)

// MaxDocument bounds a client ID metadata document, in bytes (draft-ietf-oauth-client-id-metadata-document §8.7).
const MaxDocument = 5 << 10

const codeInvalidClient = "invalid_client"

// IsDocumentID reports whether a client_id is the URL of the client's metadata document.
func IsDocumentID(id string) bool { return strings.HasPrefix(id, "https://") }

// DocumentHost checks a client_id that is the URL of a metadata document (§3 of the draft, which only advises against a
// query) and returns its host, with its port if there is one. The error is a *MetadataError.
func DocumentHost(id string) (host string, err error) {
	u, err := parseURI(id)
	if err == nil {
		err = checkAuthority(u)
	}
	switch {
	case err != nil:
		return "", InvalidDocument("the client_id is not the URL of a metadata document: %v", err)
	case u.Path == "":
		return "", InvalidDocument("the client_id is not the URL of a metadata document: it has no path")
	case hasDotSegment(u.EscapedPath()):
		return "", InvalidDocument("the client_id is not the URL of a metadata document: dot segments (. and ..) are not allowed in the path")
	}
	return strings.ToLower(u.Host), nil
}

// InvalidDocument returns the error of a metadata document that makes no client, for its developer.
func InvalidDocument(format string, args ...any) *MetadataError {
	fault := Invalid("client_id", format, args...)
	fault.Code = codeInvalidClient
	return fault
}

// ParseDocument returns the metadata of the client whose metadata document was found at the URL id. The error is a
// *MetadataError. schemes are the Schemes of a Registration.
func ParseDocument(id string, body []byte, schemes []string) (Metadata, error) {
	if len(body) > MaxDocument {
		return Metadata{}, InvalidDocument("the metadata document is longer than %d bytes", MaxDocument)
	}
	metadata, err := parseDocument(id, body, schemes)
	if err != nil {
		if fault := Faults(err)[0]; fault.Code != codeInvalidClient {
			return Metadata{}, InvalidDocument("the metadata document can't be used: %v", fault)
		}
	}
	return metadata, err
}

func parseDocument(id string, body []byte, schemes []string) (Metadata, error) {
	d, err := ParseDescription(body)
	if err != nil {
		return Metadata{}, err
	}
	d.Schemes = schemes
	// §4: the same text, so that no document speaks for another client.
	if own, ok := d.Member("client_id"); !ok || own != id {
		return Metadata{}, InvalidDocument("the metadata document is not of this client: its client_id must be the document's own URL, character by character")
	}
	if err := d.settleKeys(); err != nil {
		return Metadata{}, err
	}
	metadata, _, err := d.Validate(Policy{})
	return metadata, err
}

// settleKeys sets the authentication method of a client with which no secret can be shared (§4.1).
func (d *Description) settleKeys() error {
	for _, member := range [...]string{"client_secret", "client_secret_expires_at"} {
		if d.Has(member) {
			return Invalid(member, "it must not be in a public document")
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
		return Invalid("token_endpoint_auth_method", "%.200q is not one of %s, %s: no secret can be shared with a client that a document describes",
			d.TokenEndpointAuthMethod, AuthNone, AuthPrivateKeyJWT)
	}
	d.methods = slices.DeleteFunc(d.methods, func(method string) bool { return !keyless(method) })
	if d.TokenEndpointAuthMethod == "" && len(d.methods) == 0 {
		return Invalid("token_endpoint_auth_methods_supported", "none of these can be used with a document: use %s or %s", AuthNone, AuthPrivateKeyJWT)
	}
	return nil
}

// keyless reports whether a method needs no shared secret.
func keyless(method string) bool { return method == AuthNone || method == AuthPrivateKeyJWT }
