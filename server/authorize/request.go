package authorize

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/dpop"
	"latchkey/server/flow"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
	"latchkey/storage"
)

// Request is an authorization request (RFC 6749 §4.1.1) that was checked. What it asks for is not granted yet.
type Request struct {
	Client *clients.Client
	// RedirectURI is where the answer goes; it is one that the client registered.
	RedirectURI string
	// Scope and Resource are what is asked for; the client may ask for it.
	Scope    []string
	Resource []string
	// Offered are the resources that the client may name later if Resource is empty: the user is asked about them.
	Offered []string
	// Permissions are the scopes that the user is asked to allow: Scope, and those that bring what the claims parameter asks for besides.
	Permissions []string
	// LoginHint and UILocales are parameters of OpenID Connect (Core §3.1.2.1).
	LoginHint string
	UILocales string

	service   *Service
	state     string
	byForm    bool
	nonce     string
	challenge string
	dpopKey   string
	prompt    []string
	// maxAge is how old a login may be when the request is made; negative = any age.
	maxAge time.Duration
	// acr are the values that are asked for; acrEssential means that one of them must be reached.
	acr          []string
	acrEssential bool
	claims       string // those of the claims parameter that are stored
	subject      string // the user that the id_token_hint or the claims parameter asks for; may be empty

	// meant are those of Offered that have one of the scopes.
	meant []string

	params url.Values
	// pushed is the hash of the pushed request that the parameters come from; zero = none. What answers the request uses it up.
	pushed storage.Digest
	// startedAt is when the request arrived: a login that was asked for must be later.
	startedAt time.Time
	mark      mark
}

// mark is a decision of the user, in one browser session.
type mark struct {
	Session  storage.ID    `json:"s"`
	At       int64         `json:"t"` // microseconds
	Decision flow.Decision `json:"d"`
	// Client is the fingerprint of the client that the page of a ticket shows.
	Client string `json:"c,omitempty"`
}

// maxAuthorization bounds the parameters of an authorization request, in bytes: they travel in addresses.
const maxAuthorization = 8 << 10

// requestURIPrefix begins the references to pushed requests (RFC 9126 §2.2).
const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// Check checks an authorization request. The error is an *Error or an outage.
//
// A request_uri names a pushed request (RFC 9126); the other parameters do not count then: RFC 9126 §4 leaves no room for parameters
// that the client did not push. The answer to the request uses it up (see Issue and Refuse): until then the page may be loaded again.
func (s *Service) Check(ctx context.Context, params url.Values) (*Request, error) {
	a, err := s.checkRequest(ctx, params)
	return a, arrived(err, params)
}

func (s *Service) checkRequest(ctx context.Context, params url.Values) (*Request, error) {
	client, err := s.authorizingClient(ctx, params)
	if err != nil {
		return nil, err
	}
	var pushed storage.Digest
	if strings.HasPrefix(params.Get("request_uri"), requestURIPrefix) {
		if params, pushed, err = s.findPushed(ctx, client, params); err != nil {
			return nil, err
		}
	} else if params, err = s.openObject(ctx, client, params); err != nil {
		return nil, err
	}
	a, err := s.check(ctx, client, params, pushed)
	if err == nil && client.RequirePushedAuthorizationRequests && pushed.IsZero() {
		err = a.refuse("invalid_request", "The client must push its authorization requests (RFC 9126 §6).")
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// authorizingClient finds the client that the request names. Its errors never redirect.
func (s *Service) authorizingClient(ctx context.Context, params url.Values) (*clients.Client, error) {
	id := params.Get("client_id")
	switch {
	case id == "":
		return nil, &Error{Err: protocol.InvalidRequest("The parameter client_id is missing.")}
	case len(params["client_id"]) > 1:
		return nil, &Error{Err: protocol.InvalidRequest("The parameter client_id is repeated.")}
	}
	client, err := s.cfg.Clients.ForAuthorize(ctx, id)
	var invalid *clients.MetadataError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, &Error{Err: protocol.Refuse("invalid_client", reasons.Client, "There is no client with this client_id.")}
	case errors.As(err, &invalid):
		return nil, &Error{Err: protocol.Refuse("invalid_client", reasons.Client, "%s", invalid.Description)}
	case err != nil:
		return nil, fmt.Errorf("authorize: %w", err)
	case client.Disabled:
		return nil, &Error{Client: client, Err: protocol.Refuse("unauthorized_client", reasons.ClientDisabled,
			"The operator of this server has disabled the client.")}
	case client.TokenFormat() != "": // the built-in client has no redirect URI
		return nil, &Error{Client: client, Err: protocol.Refuse("unauthorized_client", reasons.Client, "The client may not ask for authorization.")}
	}
	return client, nil
}

// check reads the parameters. What is wrong before the redirect URI is known to be the client's never redirects:
// RFC 6749 §4.1.2.1.
func (s *Service) check(ctx context.Context, client *clients.Client, params url.Values, pushed storage.Digest) (*Request, error) {
	a := &Request{
		service: s, Client: client, params: params, pushed: pushed,
		startedAt: s.now(), maxAge: -1, byForm: byForm(params), state: params.Get("state"),
	}
	if err := a.checkRedirect(); err != nil {
		refused := &Error{Err: err, Client: client}
		if uris := params["redirect_uri"]; len(uris) == 1 && uris[0] != "" {
			refused.RedirectURI, refused.Nearest = uris[0], client.NearestRedirectURI(uris[0])
		}
		return nil, refused
	}
	steps := [...]func(context.Context) error{
		a.checkForm, a.checkObject, a.checkResponse, a.checkResource, a.checkScope, a.checkOffered, a.checkChallenge, a.checkKey, a.checkPrompt,
		a.checkSubject,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// checkRedirect settles where answers go.
func (a *Request) checkRedirect() *protocol.Error {
	uris := a.params["redirect_uri"]
	switch {
	case len(uris) > 1:
		return protocol.InvalidRequest("The parameter redirect_uri is repeated.")
	case len(uris) == 0 || uris[0] == "":
		// RFC 6749 §3.1.2.3 lets a client with one redirect URI leave it out; OpenID Connect Core §3.1.2.1 does not.
		if len(a.Client.RedirectURIs) != 1 || slices.Contains(strings.Fields(a.params.Get("scope")), claims.ScopeOpenID) {
			return protocol.InvalidRequest("The parameter redirect_uri is missing.")
		}
		a.RedirectURI = a.Client.RedirectURIs[0]
	case !a.Client.MatchRedirectURI(uris[0]):
		return protocol.InvalidRequest("The redirect_uri is not one that the client registered. They are compared character by character: " +
			"https is not http, localhost is not 127.0.0.1, and a slash at the end counts.")
	default:
		a.RedirectURI = uris[0]
	}
	return nil
}

// refuse makes an error that goes to the client.
func (a *Request) refuse(code, format string, args ...any) error {
	e := protocol.Refuse(code, reasons.BadRequest, format, args...)
	return &Error{Err: e, Client: a.Client, Honest: a.honest(code), pushed: a.pushed, Response: a.respond(url.Values{
		"error": {code}, "error_description": {e.Description},
	})}
}

// respond completes an answer. RFC 9207 §2: iss is in each, byte for byte the issuer of the metadata. An operator can leave it out of a
// client's errors, which carry nothing that a mix-up attack (§1) could use.
func (a *Request) respond(params url.Values) *Response {
	if !params.Has("error") || a.Client.ErrorISS == nil || *a.Client.ErrorISS {
		params.Set("iss", a.service.cfg.Issuer)
	}
	if a.state != "" {
		params.Set("state", a.state)
	}
	return &Response{RedirectURI: a.RedirectURI, ByForm: a.byForm, Params: params}
}

func (a *Request) checkForm(context.Context) error {
	if len(a.state) > maxAuthorization {
		a.state = "" // no answer with it would fit where the request does not
	}
	size := 0
	for name, values := range a.params {
		// RFC 6749 §3.1: parameters must not be repeated; RFC 8707 §2 excepts resource.
		if len(values) > 1 && name != "resource" {
			return a.refuse("invalid_request", "A parameter must not be repeated.")
		}
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size > maxAuthorization {
		return a.refuse("invalid_request", "The parameters are longer than %d bytes.", maxAuthorization)
	}
	return nil
}

// checkObject refuses request objects (RFC 9101) by reference, and those of clients without keys. The content of others, and that of
// pushed requests, has replaced them before.
func (a *Request) checkObject(context.Context) error {
	for _, name := range [...]string{"request", "request_uri", "registration"} {
		if a.params.Get(name) != "" {
			return a.refuse(name+"_not_supported", "%s", objectRefused[name])
		}
	}
	return nil
}

// objectRefused says what is not supported.
var objectRefused = map[string]string{
	"request":      "Request objects are for clients with keys: register jwks or jwks_uri.",
	"request_uri":  "A request_uri must be that of a pushed request (RFC 9126).",
	"registration": "The parameter registration is not supported.",
}

func (a *Request) checkResponse(context.Context) error {
	if mode := a.params.Get("response_mode"); mode != "" && !slices.Contains(ResponseModes, mode) {
		return a.refuse("invalid_request", "The response_mode must be query or form_post.")
	}
	switch kind := a.params.Get("response_type"); {
	case kind == "":
		return a.refuse("invalid_request", "The parameter response_type is missing.")
	case kind != "code":
		// RFC 9700 §2.1.2: no tokens in answers of this endpoint.
		return a.refuse("unsupported_response_type", "The response_type must be code; tokens come from the token endpoint.")
	case !a.Client.Allows(clients.GrantAuthorizationCode):
		return a.refuse("unauthorized_client", "The client is not registered for the grant type authorization_code.")
	}
	return nil
}

// checkKey reads the key that the code is for (RFC 9449 §10).
func (a *Request) checkKey(context.Context) error {
	a.dpopKey = a.params.Get("dpop_jkt")
	if a.dpopKey != "" && !dpop.ValidKey(a.dpopKey) {
		return a.refuse("invalid_request", "The dpop_jkt must be a JWK SHA-256 thumbprint (RFC 7638), base64url encoded.")
	}
	return nil
}

// Offline reports whether access is asked for that outlives a logout.
func (a *Request) Offline() bool { return slices.Contains(a.Scope, claims.ScopeOffline) }

// Lifetime returns how long access lasts at most.
func (a *Request) Lifetime() time.Duration { return a.service.cfg.Tokens.Lifetime(a.Client) }

// honest reports whether an error code is one for Error.Honest.
func (a *Request) honest(code string) bool {
	switch code {
	case "login_required", "consent_required":
		return true
	case "request_not_supported", "request_uri_not_supported", "registration_not_supported":
		return strings.HasPrefix(a.RedirectURI, "https://")
	}
	return false
}
