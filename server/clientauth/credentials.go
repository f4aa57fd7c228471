package clientauth

import (
	"net/http"
	"net/url"
	"slices"

	"latchkey/clients"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// Credentials are what a client authenticates with.
type Credentials struct {
	// Method is client_secret_basic, client_secret_post, private_key_jwt or none; empty when the request names no client.
	Method string
	ID     string
	Secret storage.Secret
	// Assertion is for private_key_jwt.
	Assertion storage.Secret
	// otherwise are further readings of the Authorization header, for libraries that don't encode what is in it.
	otherwise []reading
}

// FromRequest returns the credentials of a request with the given headers and form: exactly one method is used (RFC 6749 §2.3). The error is a
// *protocol.Error.
func FromRequest(h http.Header, f url.Values) (Credentials, error) {
	headers := h.Values("Authorization")
	if f.Has("client_assertion") || f.Has("client_assertion_type") {
		// RFC 6749 §2.3: a client must not use more than one method in a request.
		if len(headers) > 0 || f.Has("client_secret") {
			return Credentials{}, protocol.InvalidRequest("The client is authenticated in two ways at once.")
		}
		return assertedCredentials(f)
	}
	switch len(headers) {
	case 0:
		return postedCredentials(f)
	case 1:
		return headerCredentials(headers[0], f)
	default:
		return Credentials{}, protocol.InvalidRequest("There is more than one Authorization header.")
	}
}

// assertedCredentials are those of the method private_key_jwt (RFC 7521 §4.2).
func assertedCredentials(f url.Values) (Credentials, error) {
	assertion := storage.Secret(f.Get("client_assertion"))
	switch {
	case assertion == "":
		return Credentials{}, protocol.InvalidRequest("The parameter client_assertion is missing.")
	case f.Get("client_assertion_type") != AssertionType:
		return Credentials{}, protocol.InvalidRequest("The client_assertion_type must be %s.", AssertionType)
	}
	// The assertion names the client. A client_id beside it must name the same one, which shows when the assertion is checked.
	id := f.Get("client_id")
	if id == "" {
		var err error
		if id, err = assertionClient(assertion); err != nil {
			return Credentials{}, err
		}
	}
	return Credentials{Method: clients.AuthPrivateKeyJWT, ID: id, Assertion: assertion}, nil
}

// postedCredentials are those of the methods client_secret_post and none.
func postedCredentials(f url.Values) (Credentials, error) {
	c := Credentials{ID: f.Get("client_id"), Secret: storage.Secret(f.Get("client_secret"))}
	switch {
	case f.Has("client_secret") && c.ID == "":
		return Credentials{}, protocol.InvalidRequest("The parameter client_id is missing.")
	case f.Has("client_secret"):
		c.Method = clients.AuthPost
	case c.ID != "":
		c.Method = clients.AuthNone
	}
	return c, nil
}

// headerCredentials are those of the method client_secret_basic.
func headerCredentials(header string, f url.Values) (Credentials, error) {
	readings := parseBasic(header)
	if len(readings) == 0 {
		return Credentials{}, protocol.InvalidClient(reasons.Client, "The Authorization header must be Basic, with client_id and client_secret encoded as RFC 6749, section 2.3.1 says.")
	}
	// RFC 6749 §2.3: a client must not use more than one method in a request.
	if f.Has("client_secret") {
		return Credentials{}, protocol.InvalidRequest("The client is authenticated in two ways at once.")
	}
	// Naming the client again does no harm; naming another one leaves open who is meant.
	if f.Has("client_id") {
		readings = slices.DeleteFunc(readings, func(r reading) bool { return r.id != f.Get("client_id") })
	}
	if len(readings) == 0 {
		return Credentials{}, protocol.InvalidRequest("The client_id is not the one of the Authorization header.")
	}
	return Credentials{Method: clients.AuthBasic, ID: readings[0].id, Secret: readings[0].secret, otherwise: readings[1:]}, nil
}
