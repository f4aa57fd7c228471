package clients

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// described is what a client says of itself, in a registration request (RFC 7591 §2) or a metadata document.
type described struct {
	Metadata
	// methods is token_endpoint_auth_methods_supported, the server's metadata that some clients send of themselves.
	methods []string
	members map[string]json.RawMessage
}

// readDescribed reads a JSON object. Members that we do not know are ignored (RFC 7591 §2), and so are the translations of
// names that we know (client_name#de).
func readDescribed(raw []byte) (*described, *MetadataError) {
	d := &described{}
	if err := json.Unmarshal(raw, &d.members); err != nil || d.members == nil {
		return nil, invalid("", "the body must be a JSON object")
	}
	fields := [...]struct {
		name  string
		value any
		kind  string
	}{
		{"client_name", &d.ClientName, aString},
		{"client_uri", &d.ClientURI, aString},
		{"logo_uri", &d.LogoURI, aString},
		{"policy_uri", &d.PolicyURI, aString},
		{"tos_uri", &d.TosURI, aString},
		{"contacts", &d.Contacts, aList},
		{"application_type", &d.ApplicationType, aString},
		{"redirect_uris", &d.RedirectURIs, aList},
		{"post_logout_redirect_uris", &d.PostLogoutRedirectURIs, aList},
		{"grant_types", &d.GrantTypes, aList},
		{"response_types", &d.ResponseTypes, aList},
		{"scope", &d.Scope, aString},
		{"token_endpoint_auth_method", &d.TokenEndpointAuthMethod, aString},
		{"token_endpoint_auth_methods_supported", &d.methods, aList},
		{"token_endpoint_auth_signing_alg", &d.TokenEndpointAuthSigningAlg, aString},
		{"jwks_uri", &d.JWKSURI, aString},
		{"jwks", &d.JWKS, "an object"},
		{"software_id", &d.SoftwareID, aString},
		{"software_version", &d.SoftwareVersion, aString},
		{"id_token_signed_response_alg", &d.IDTokenSignedResponseAlg, aString},
		{"userinfo_signed_response_alg", &d.UserinfoSignedResponseAlg, aString},
		{"default_max_age", &d.DefaultMaxAge, "a number of seconds"},
		{"require_auth_time", &d.RequireAuthTime, aBoolean},
		{"require_pushed_authorization_requests", &d.RequirePushedAuthorizationRequests, aBoolean},
		{"backchannel_logout_uri", &d.BackchannelLogoutURI, aString},
		{"backchannel_logout_session_required", &d.BackchannelLogoutSessionRequired, aBoolean},
	}
	for _, f := range fields {
		// null is the same as nothing: RFC 7592 §2.2.
		if value, ok := d.members[f.name]; ok && string(value) != "null" && json.Unmarshal(value, f.value) != nil {
			return nil, invalid(f.name, "it must be %s", f.kind)
		}
	}
	return d, nil
}

// What members are, in the words of an error.
const (
	aString  = "a string"
	aList    = "an array of strings"
	aBoolean = "true or false"
)

// text gives a member that is a string.
func (d *described) text(name string) (s string, ok bool) {
	return s, json.Unmarshal(d.members[name], &s) == nil
}

// settle makes of what a client asks for what a client that describes itself can have, and checks it. The grant types and
// response types that it can't have are dropped, and the answer shows what is left (RFC 7591 §2, §3.2.1).
func (d *described) settle(p Policy) (Metadata, Policy, error) {
	d.ClientName = cleanName(d.ClientName)
	for _, step := range [...]func() *MetadataError{d.settleMethod, d.settleGrants, d.settleURIs} {
		if err := step(); err != nil {
			return Metadata{}, Policy{}, err
		}
	}
	return Validate(d.Metadata, p)
}

// settleMethod picks one of token_endpoint_auth_methods_supported when the client names no single one.
func (d *described) settleMethod() *MetadataError {
	if d.TokenEndpointAuthMethod != "" || len(d.methods) == 0 {
		return nil
	}
	choice := []string{AuthBasic, AuthPost, AuthNone}
	if d.onDevice() {
		choice = []string{AuthNone, AuthBasic, AuthPost} // RFC 8252 §8.5: what is on every device is no secret
	}
	if d.hasKeys() {
		choice = slices.Insert(choice, 0, AuthPrivateKeyJWT)
	}
	for _, method := range choice {
		if slices.Contains(d.methods, method) {
			d.TokenEndpointAuthMethod = method
			return nil
		}
	}
	return invalid("token_endpoint_auth_methods_supported", "none of these is supported: use one of %s, %s, %s, or %s with jwks_uri or jwks",
		AuthBasic, AuthPost, AuthNone, AuthPrivateKeyJWT)
}

func (d *described) hasKeys() bool {
	return d.JWKSURI != "" || len(d.JWKS) > 0 && string(d.JWKS) != "null"
}

// settleGrants drops what a client can't have. password is only for clients that an operator added: RFC 9700 §2.4.
func (d *described) settleGrants() *MetadataError {
	public := d.TokenEndpointAuthMethod == AuthNone
	if len(d.GrantTypes) > 0 {
		d.GrantTypes = slices.DeleteFunc(slices.Clone(d.GrantTypes), func(grant string) bool {
			switch grant {
			case GrantAuthorizationCode, GrantRefreshToken:
				return false
			case GrantClientCredentials:
				return public // RFC 6749 §4.4
			}
			return true
		})
		if !slices.Contains(d.GrantTypes, GrantAuthorizationCode) && !slices.Contains(d.GrantTypes, GrantClientCredentials) {
			return invalid("grant_types", "none of these can be had: ask for %s, with %s if access is to last; "+
				"%s is for clients that authenticate", GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials)
		}
	}
	code := len(d.GrantTypes) == 0 || slices.Contains(d.GrantTypes, GrantAuthorizationCode)
	if !code {
		d.ResponseTypes = nil
	}
	if len(d.ResponseTypes) > 0 {
		if !slices.Contains(d.ResponseTypes, responseTypeCode) {
			return invalid("response_types", "only %s is supported", responseTypeCode)
		}
		d.ResponseTypes = []string{responseTypeCode}
	}
	return nil
}

// settleURIs finds the application type of a client that names none, and refuses what only an operator may name.
func (d *described) settleURIs() *MetadataError {
	if d.ApplicationType == "" && d.onDevice() {
		d.ApplicationType = applicationNative
	}
	if d.BackchannelLogoutURI != "" && !strings.HasPrefix(d.BackchannelLogoutURI, "https://") {
		return invalid("backchannel_logout_uri", "use https")
	}
	if subject, ok := d.text("subject_type"); ok && subject != "public" {
		return invalid("subject_type", "only public is supported") // to ignore pairwise would break a promise to users
	}
	return nil
}

// onDevice reports whether the redirect URIs are those of an application on the user's device (RFC 8252 §7): one has a
// private-use scheme, or all are on a loopback host.
func (d *described) onDevice() bool {
	if d.ApplicationType == applicationNative {
		return true
	}
	for _, uri := range d.RedirectURIs {
		if scheme, _, _ := strings.Cut(uri, ":"); strings.Contains(scheme, ".") && !strings.Contains(scheme, "/") {
			return true
		}
	}
	return loopbackOnly(d.RedirectURIs)
}

// loopbackOnly reports whether every URI is on a loopback host.
func loopbackOnly(uris []string) bool {
	for _, uri := range uris {
		if _, _, ok := cutLoopback(uri); !ok {
			return false
		}
	}
	return len(uris) > 0
}

// cleanName takes out of a name that a stranger chose what can't be seen or changes how the text around it looks: controls,
// directions, zero widths. Pages escape the rest.
func cleanName(name string) string {
	name = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case unicode.In(c, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp), c == unicode.ReplacementChar,
			unicode.Is(unicode.Other_Default_Ignorable_Code_Point, c), unicode.Is(unicode.Variation_Selector, c):
			return -1
		}
		return c
	}, name)
	return strings.Join(strings.Fields(name), " ")
}

// Faults lists all that is wrong according to an error of Validate.
func Faults(err error) []*MetadataError {
	switch e := err.(type) {
	case nil:
		return nil
	case *MetadataError:
		return []*MetadataError{e}
	case interface{ Unwrap() []error }:
		var all []*MetadataError
		for _, err := range e.Unwrap() {
			all = append(all, Faults(err)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Faults(e.Unwrap())
	}
	return nil
}
