package oauth

import (
	"encoding/base64"
	"net/http"
	"strings"

	"latchkey/server/token"
	"latchkey/storage"
)

// readRequest reads what each endpoint that clients call begins with: the form, and who the client says it is.
func readRequest(r *http.Request) (form, token.Credentials, error) {
	f, err := readForm(r)
	if err != nil {
		return nil, token.Credentials{}, err
	}
	client, err := credentials(r, f)
	return f, client, err
}

// credentials reads how the client says who it is: exactly one method (RFC 6749 §2.3). Credentials without a Method
// mean that the request names no client.
func credentials(r *http.Request, f form) (token.Credentials, error) {
	headers := r.Header.Values("Authorization")
	if f.has("client_assertion") || f.has("client_assertion_type") {
		// RFC 6749 §2.3: a client must not use more than one method in a request.
		if len(headers) > 0 || f.has("client_secret") {
			return token.Credentials{}, invalidRequest("The client is authenticated in two ways at once.")
		}
		return assertedCredentials(f)
	}
	switch len(headers) {
	case 0:
		return postedCredentials(f)
	case 1:
		return headerCredentials(headers[0], f)
	default:
		return token.Credentials{}, invalidRequest("There is more than one Authorization header.")
	}
}

// assertedCredentials are those of the method private_key_jwt (RFC 7521 §4.2).
func assertedCredentials(f form) (token.Credentials, error) {
	assertion := f.secret("client_assertion")
	switch {
	case assertion == "":
		return token.Credentials{}, invalidRequest("The parameter client_assertion is missing.")
	case f.get("client_assertion_type") != token.AssertionType:
		return token.Credentials{}, invalidRequest("The client_assertion_type must be " + token.AssertionType + ".")
	}
	// The assertion names the client. A client_id beside it must name the same one, which shows when the assertion is checked.
	id := f.get("client_id")
	if id == "" {
		var err error
		if id, err = token.AssertionClient(assertion); err != nil {
			return token.Credentials{}, err
		}
	}
	return token.Credentials{Method: token.AuthPrivateKeyJWT, ID: id, Assertion: assertion}, nil
}

// headerCredentials are those of the method client_secret_basic.
func headerCredentials(header string, f form) (token.Credentials, error) {
	id, secret, ok := parseBasic(header)
	if !ok {
		return token.Credentials{}, invalidClient("The Authorization header must be Basic, with client_id and client_secret encoded as RFC 6749, section 2.3.1 says.")
	}
	// RFC 6749 §2.3: a client must not use more than one method in a request.
	if f.has("client_secret") {
		return token.Credentials{}, invalidRequest("The client is authenticated in two ways at once.")
	}
	// Naming the client again does no harm; naming another one leaves open who is meant.
	if f.has("client_id") && f.get("client_id") != id {
		return token.Credentials{}, invalidRequest("The client_id is not the one of the Authorization header.")
	}
	return token.Credentials{Method: token.AuthBasic, ID: id, Secret: secret}, nil
}

// postedCredentials are those of the methods client_secret_post and none.
func postedCredentials(f form) (token.Credentials, error) {
	c := token.Credentials{ID: f.get("client_id"), Secret: f.secret("client_secret")}
	switch {
	case f.has("client_secret") && c.ID == "":
		return token.Credentials{}, invalidRequest("The parameter client_id is missing.")
	case f.has("client_secret"):
		c.Method = token.AuthPost
	case c.ID != "":
		c.Method = token.AuthNone
	}
	return c, nil
}

// strictBase64 refuses missing and needless padding: a text has one encoding only.
var strictBase64 = base64.StdEncoding.Strict()

// parseBasic reads Basic credentials (RFC 7617) whose two halves are form-urlencoded (RFC 6749 §2.3.1), so that either
// may hold any character, a colon too.
func parseBasic(header string) (id string, secret storage.Secret, ok bool) {
	scheme, encoded, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	encoded = strings.Trim(encoded, " ")
	if strings.ContainsAny(encoded, "\r\n") { // the decoder would skip them
		return "", "", false
	}
	pair, err := strictBase64.DecodeString(encoded)
	if err != nil {
		return "", "", false
	}
	rawID, rawSecret, found := strings.Cut(string(pair), ":")
	if !found {
		return "", "", false
	}
	id, okID := unescape(rawID)
	plain, okSecret := unescape(rawSecret)
	if !okID || !okSecret || id == "" {
		return "", "", false
	}
	return id, storage.Secret(plain), true
}

func invalidClient(description string) *token.Error {
	return &token.Error{
		Code: "invalid_client", Description: description, Status: http.StatusUnauthorized, Reason: token.ReasonClient,
	}
}
