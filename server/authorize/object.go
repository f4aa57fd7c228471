package authorize

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/clients/strictjson"
	"latchkey/server/internal/form"
	"latchkey/server/internal/jwt"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
)

// Bounds of a request object.
const (
	objectLeeway = 30 * time.Second
	// maxObjectLife is how long before its end it may begin: FAPI 2.0 Message Signing §5.3.1.
	maxObjectLife = time.Hour
)

// openObject returns the parameters of a request: those of its request object, if it has one, and nothing from outside (RFC 9101 §5, §6.3).
// Clients without keys can't have one; checkObject refuses theirs. The error is an *Error or an outage.
func (s *Service) openObject(ctx context.Context, client *clients.Client, params url.Values) (url.Values, error) {
	switch {
	case len(params["request"]) != 1 || params.Get("request") == "" || !client.HasKeys():
		if client.RequireSignedRequestObject {
			return nil, s.refuseObject(client, params, "invalid_request", "The client must send its request as a signed request object (require_signed_request_object).")
		}
		return params, nil
	case params.Get("request_uri") != "":
		return nil, s.refuseObject(client, params, "invalid_request", "The parameters request and request_uri exclude each other.") // RFC 9101 §5
	}
	inside, refused := s.readObject(ctx, client, params.Get("request"))
	if refused != nil {
		return nil, s.refuseObject(client, params, refused.Code, "%s", refused.Description)
	}
	inside.Set("client_id", client.ID)
	return inside, nil
}

// refuseObject refuses a request object. What is outside of it says where the answer goes, as for a request without one; if that is
// nothing, the answer is a page.
func (s *Service) refuseObject(client *clients.Client, params url.Values, code, format string, args ...any) error {
	a := &Request{service: s, Client: client, params: params, byForm: byForm(params), state: params.Get("state")}
	if len(params["state"]) > 1 || len(a.state) > maxAuthorization || a.checkRedirect() != nil {
		return &Error{Client: client, Err: protocol.Refuse(code, reasons.Object, format, args...)}
	}
	return a.refuse(code, format, args...)
}

func badObject(format string, args ...any) *protocol.Error {
	return protocol.Refuse("invalid_request_object", reasons.Object, "The request object is refused: "+format, args...)
}

// readObject checks a request object (RFC 9101 §6) and returns the parameters in it.
func (s *Service) readObject(ctx context.Context, client *clients.Client, raw string) (url.Values, *protocol.Error) {
	if strings.Count(raw, ".") == 4 {
		return nil, badObject("encrypted ones are not supported.")
	}
	f := jwt.ReadIncoming(raw)
	if f == nil {
		return nil, badObject("it is not a JWT in the compact form, with a header and a payload that are JSON objects without repeated members.")
	}
	if err := checkObjectHeader(client, f); err != nil {
		return nil, err
	}
	switch signed, err := s.cfg.Auth.SignedBy(ctx, client, f); {
	case err != nil:
		e := badObject("the keys of the client can't be fetched now.")
		e.Cause = err
		return nil, e
	case !signed:
		return nil, badObject("it is not signed with a key of the client.")
	}
	if err := s.checkObjectClaims(client, f.Claims); err != nil {
		return nil, err
	}
	return objectParams(f.Claims)
}

// checkObjectHeader accepts algorithms of a list only; the key comes from the client's registration (RFC 8725 §3.1, §3.10).
func checkObjectHeader(client *clients.Client, f *jwt.Incoming) *protocol.Error {
	for _, name := range [...]string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "cty", "enc"} {
		if _, ok := f.Header[name]; ok {
			return badObject("the header %s is not supported.", name)
		}
	}
	if typ := cmp.Or(f.Typ(), "JWT"); !strings.EqualFold(typ, "JWT") && !strings.EqualFold(typ, "oauth-authz-req+jwt") {
		return badObject("typ must be oauth-authz-req+jwt.") // RFC 9101 §10.8: another JWT of the client is none
	}
	if want := client.RequestObjectSigningAlg; want != "" && !jwt.SameAlg(want, f.Alg) {
		return badObject("alg must be %s, which the client is registered with (request_object_signing_alg).", want)
	}
	if !slices.Contains(jwt.IncomingAlgs(), f.Alg) || !client.AllowsAlg(f.Alg) {
		return badObject("alg must be one of %s.", strings.Join(jwt.IncomingAlgs(), ", "))
	}
	return nil
}

// checkObjectClaims checks issuer, audience and times of a request object (RFC 9101 §4).
func (s *Service) checkObjectClaims(client *clients.Client, claims jwt.Object) *protocol.Error {
	id := client.ID
	var issuer, subject string
	if !claims.Strings(map[string]*string{"iss": &issuer, "sub": &subject, "client_id": &id}) {
		return badObject("iss, sub and client_id must be strings.")
	}
	var begins, issued, ends time.Time
	if name := claims.Dates(map[string]*time.Time{"nbf": &begins, "iat": &issued, "exp": &ends}); name != "" {
		return badObject("%s must be a number of seconds.", name)
	}
	now := s.now()
	switch {
	case issuer != client.ID || id != client.ID:
		return badObject("iss and client_id must be the client_id.")
	case subject == client.ID: // RFC 9101 §10.8: it could be a client assertion
		return badObject("sub must not be the client_id.")
	case !slices.Contains(claims.Texts("aud"), s.cfg.Issuer):
		return badObject("aud must be the issuer identifier %s.", s.cfg.Issuer)
	case !ends.IsZero() && !ends.After(now):
		return badObject("it has expired; the server's clock says %d.", now.Unix())
	case begins.After(now.Add(objectLeeway)) || issued.After(now.Add(objectLeeway)):
		return badObject("iat or nbf is in the future; the server's clock says %d.", now.Unix())
	case !ends.IsZero() && !begins.IsZero() && ends.Sub(begins) > maxObjectLife:
		return badObject("exp must be at most %d seconds after nbf.", int(maxObjectLife.Seconds()))
	case !begins.IsZero() && begins.Before(now.Add(-maxObjectLife)):
		return badObject("nbf is more than %d seconds ago; the server's clock says %d.", int(maxObjectLife.Seconds()), now.Unix())
	}
	for _, name := range [...]string{"request", "request_uri"} {
		if _, nested := claims[name]; nested { // RFC 9101 §4
			return badObject("it must not contain the parameter %s.", name)
		}
	}
	return nil
}

// objectParams returns the claims of a request object as parameters (RFC 9101 §4): text as it is, numbers and objects as their JSON. It
// refuses text that can't be stored as it is, as the query of a request without an object does, and half a surrogate pair, which Go would
// replace: what comes back to the client, such as the nonce, must be what it has sent.
func objectParams(claims jwt.Object) (url.Values, *protocol.Error) {
	params := url.Values{}
	for name, value := range claims {
		switch name {
		case "iss", "aud", "sub", "exp", "nbf", "iat", "jti": // of the JWT
			continue
		}
		if err := strictjson.CheckStored(value); err != nil || !form.IsText(name) {
			return nil, badObject("a member has text with NUL or half a surrogate pair, or text that is not UTF-8, or a member twice.")
		}
		values, err := paramValues(value)
		if err != nil || len(values) > 1 && name != "resource" {
			return nil, badObject("a member has a value that its parameter can't have.")
		}
		for _, text := range values {
			if text != "" {
				params.Add(name, text)
			}
		}
	}
	return params, nil
}

func paramValues(value json.RawMessage) (values []string, err error) {
	switch value[0] {
	case '"':
		values = make([]string, 1)
		err = json.Unmarshal(value, &values[0])
	case '[':
		var list []*string
		err = json.Unmarshal(value, &list)
		for _, text := range list {
			if text == nil {
				return nil, errors.New("null is no text")
			}
			values = append(values, *text)
		}
	case 'n', 't', 'f':
		err = fmt.Errorf("%s is no parameter", value)
	default:
		values = []string{string(value)}
	}
	return values, err
}
