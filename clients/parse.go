package clients

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode"

	"latchkey/clients/strictjson"
)

// Description is what a client says about itself in a registration request (RFC 7591 §2) or a metadata document.
type Description struct {
	// Registration has the metadata as they were sent; [Description.Validate] makes them valid.
	Registration
	// methods is token_endpoint_auth_methods_supported, which some clients send although it is server metadata.
	methods []string
	members map[string]json.RawMessage
}

// ParseDescription parses a JSON object. Unknown members are ignored (RFC 7591 §2), and so are policies and translations
// of names (client_name#de). The error is a *MetadataError, or several in one: see [Faults].
func ParseDescription(raw []byte) (*Description, error) {
	d := &Description{}
	if err := json.Unmarshal(raw, &d.members); err != nil || d.members == nil {
		return nil, Invalid("", "the body must be a JSON object")
	}
	if err := strictjson.Check(raw); err != nil {
		return nil, Invalid("", "%v", err)
	}
	var faults []error
	for i := range Fields {
		if f := &Fields[i]; !f.Policy {
			if err := f.read(&d.Registration, d.members[f.Name]); err != nil {
				faults = append(faults, err)
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	const methods = "token_endpoint_auth_methods_supported"
	if value, ok := d.members[methods]; ok && json.Unmarshal(value, &d.methods) != nil {
		return nil, Invalid(methods, "it must be %s", List)
	}
	return d, nil
}

// Member returns a member that is a string; ok reports whether there is one.
func (d *Description) Member(name string) (text string, ok bool) {
	return text, json.Unmarshal(d.members[name], &text) == nil
}

// Has reports whether there is a member, whatever its value.
func (d *Description) Has(name string) bool {
	_, ok := d.members[name]
	return ok
}

// Validate returns what a client that describes itself can have of what it asks for. Grant types and response types that
// it can't have are dropped; the response shows what is left (RFC 7591 §2, §3.2.1). So is an exemption from PKCE that a
// client without credentials can't have. The errors are those of [Validate].
func (d *Description) Validate(p Policy) (Metadata, Policy, error) {
	d.ClientName = cleanName(d.ClientName)
	var faults []error
	wrong := map[string]bool{} // each member is named once
	add := func(found ...*MetadataError) {
		for _, fault := range found {
			if fault != nil && !wrong[fault.Field] {
				faults, wrong[fault.Field] = append(faults, fault), true
			}
		}
	}
	add(d.settleMethod(), d.settleGrants())
	add(d.settleURIs()...)
	if d.TokenEndpointAuthMethod == AuthNone && p.RequirePKCE != nil && !*p.RequirePKCE {
		p.RequirePKCE = nil
	}
	m, p, err := ValidateFor(&Registration{Metadata: d.Metadata, Policy: p, Schemes: d.Schemes}) // names each URI that is wrong
	add(Faults(err)...)
	if err == nil {
		add(m.checkEncrypted())
	}
	if len(faults) > 0 {
		return Metadata{}, Policy{}, errors.Join(faults...)
	}
	return m, p, nil
}

// settleMethod picks one of token_endpoint_auth_methods_supported if the client sent no token_endpoint_auth_method.
func (d *Description) settleMethod() *MetadataError {
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
	return Invalid("token_endpoint_auth_methods_supported", "none of these is supported: use one of %s, %s, %s, or %s with jwks_uri or jwks",
		AuthBasic, AuthPost, AuthNone, AuthPrivateKeyJWT)
}

func (d *Description) hasKeys() bool {
	return d.JWKSURI != "" || len(d.JWKS) > 0 && string(d.JWKS) != "null"
}

// settleGrants drops what a client can't have. Only clients that an operator added may have password (RFC 9700 §2.4).
func (d *Description) settleGrants() *MetadataError {
	allowed := []string{GrantAuthorizationCode, GrantRefreshToken, GrantDeviceCode}
	if d.TokenEndpointAuthMethod != AuthNone {
		allowed = append(allowed, GrantClientCredentials) // RFC 6749 §4.4
	}
	asked := d.GrantTypes
	d.GrantTypes = slices.DeleteFunc(slices.Clone(asked), func(grant string) bool { return !slices.Contains(allowed, grant) })
	code := len(asked) == 0 || slices.Contains(d.GrantTypes, GrantAuthorizationCode)
	switch {
	case !code && !slices.Contains(d.GrantTypes, GrantClientCredentials) && !slices.Contains(d.GrantTypes, GrantDeviceCode):
		d.GrantTypes = asked
		return Invalid("grant_types", "none of these can be registered: ask for %s, with %s if access is to last; "+
			"%s is for devices without a browser, %s for clients that authenticate",
			GrantAuthorizationCode, GrantRefreshToken, GrantDeviceCode, GrantClientCredentials)
	case !code:
		d.ResponseTypes = nil
	case slices.Contains(d.ResponseTypes, responseTypeCode):
		d.ResponseTypes = []string{responseTypeCode}
	}
	return nil // Validate refuses other response types
}

// settleURIs sets the application type of a client that sent none, and refuses what only an operator may register. A client with a domain
// name in reverse as a scheme is native whatever it says, as oidc-agent, which sends web (RFC 7591 §3.2.1 lets a server replace a value).
func (d *Description) settleURIs() (faults []*MetadataError) {
	if d.ApplicationType == "" && d.onDevice() || slices.ContainsFunc(d.RedirectURIs, isReverseDomain) {
		d.ApplicationType = applicationNative
	}
	if slices.ContainsFunc(strings.Fields(d.Scope), IsAdminScope) {
		faults = append(faults, Invalid("scope", "scopes that begin with %s are for the API for operators: only an operator can register a client for them", adminScopes))
	}
	if d.BackchannelLogoutURI != "" && !strings.HasPrefix(d.BackchannelLogoutURI, "https://") {
		faults = append(faults, Invalid("backchannel_logout_uri", "use https"))
	}
	if subject, ok := d.Member("subject_type"); ok && subject != "public" {
		faults = append(faults, Invalid("subject_type", "only public is supported")) // to ignore pairwise would break a promise to users
	}
	return faults
}

// isReverseDomain reports whether the scheme of a URI is a domain name in reverse (RFC 8252 §7.1).
func isReverseDomain(uri string) bool {
	scheme, _, _ := strings.Cut(uri, ":")
	return strings.Contains(scheme, ".") && !strings.Contains(scheme, "/")
}

// onDevice reports whether the redirect URIs are those of an application on the user's device (RFC 8252 §7): one has a
// private-use scheme, or all are on a loopback host.
func (d *Description) onDevice() bool {
	if d.ApplicationType == applicationNative {
		return true
	}
	private := func(uri string) bool {
		scheme, _, _ := strings.Cut(uri, ":")
		return isReverseDomain(uri) || d.knowsScheme(scheme)
	}
	elsewhere := func(uri string) bool { return !IsLoopbackURI(uri) }
	return slices.ContainsFunc(d.RedirectURIs, private) || len(d.RedirectURIs) > 0 && !slices.ContainsFunc(d.RedirectURIs, elsewhere)
}

// cleanName removes from the name of an untrusted client what is invisible or changes how the text around it looks: controls,
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
