package clients

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MetadataError is what is wrong with metadata or a policy, as RFC 7591 §3.2.2 answers it.
type MetadataError struct {
	// Code is invalid_redirect_uri or invalid_client_metadata.
	Code string
	// Field is the metadata's name.
	Field       string
	Description string
}

func (e *MetadataError) Error() string {
	if e.Field == "" {
		return e.Description
	}
	return e.Field + ": " + e.Description
}

// The codes of RFC 7591 §3.2.2.
const (
	codeRedirectURI = "invalid_redirect_uri"
	codeMetadata    = "invalid_client_metadata"
)

func invalid(field, format string, args ...any) *MetadataError {
	code := codeMetadata
	if field == "redirect_uris" {
		code = codeRedirectURI
	}
	return &MetadataError{Code: code, Field: field, Description: fmt.Sprintf(format, args...)}
}

// The grant types that a client can be registered for.
const (
	GrantPassword          = "password"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantAuthorizationCode = "authorization_code"
)

// The ways of client authentication at the token endpoint.
const (
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
	AuthNone  = "none"
	// AuthPrivateKeyJWT is an assertion signed with the client's own key (RFC 7523, OpenID Connect Core §9).
	AuthPrivateKeyJWT = "private_key_jwt"

	authSecretJWT = "client_secret_jwt"
)

const responseTypeCode = "code"

// Bounds of metadata.
const (
	maxList  = 100  // members of a list
	maxText  = 255  // bytes of a name
	maxScope = 4096 // bytes of the scope
	maxID    = 255  // bytes of a client_id
)

// Validate checks metadata and policy and fills in what RFC 7591 §2 says of absent members. What comes out goes through
// again unchanged; what goes in is never changed. The error is a *MetadataError, or several in one, the first of which
// errors.As finds.
func Validate(m Metadata, p Policy) (Metadata, Policy, error) {
	steps := [...]func(*Metadata, *Policy) *MetadataError{
		checkTexts, checkGrants, checkKeys, checkAuthentication, checkScope, checkURIs, checkOpenID, checkLogout, checkPolicy,
		checkLifetimes,
	}
	var faults []error
	for _, step := range steps {
		if err := step(&m, &p); err != nil {
			faults = append(faults, err)
		}
	}
	switch len(faults) {
	case 0:
		return m, p, nil
	case 1:
		return Metadata{}, Policy{}, faults[0]
	}
	return Metadata{}, Policy{}, errors.Join(faults...)
}

// ValidID reports whether text can be a client_id (RFC 6749 §A.1) of a length that we keep. The URL of a metadata document
// may be longer than others.
func ValidID(id string) bool {
	most := maxID
	if isDocumentID(id) {
		most = maxURI
	}
	if id == "" || len(id) > most {
		return false
	}
	for _, c := range []byte(id) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

func checkTexts(m *Metadata, _ *Policy) *MetadataError {
	texts := [...]struct{ field, text string }{
		{"client_name", m.ClientName}, {"software_id", m.SoftwareID}, {"software_version", m.SoftwareVersion},
	}
	for _, t := range texts {
		if err := checkText(t.text); err != nil {
			return invalid(t.field, "%v", err)
		}
	}
	if err := checkList("contacts", &m.Contacts); err != nil {
		return err
	}
	for _, contact := range m.Contacts {
		if err := checkText(contact); err != nil {
			return invalid("contacts", "%v", err)
		}
	}
	return nil
}

// checkText keeps out of names what would change how the text around them looks.
func checkText(s string) error {
	if len(s) > maxText {
		return fmt.Errorf("longer than %d bytes", maxText)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("not UTF-8")
	}
	for _, c := range s {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029' {
			return fmt.Errorf("the character %U is not allowed", c)
		}
	}
	return nil
}

func checkGrants(m *Metadata, _ *Policy) *MetadataError {
	if err := checkList("grant_types", &m.GrantTypes); err != nil {
		return err
	}
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{GrantAuthorizationCode} // RFC 7591 §2
	}
	for _, grant := range m.GrantTypes {
		switch grant {
		case GrantPassword, GrantRefreshToken, GrantClientCredentials, GrantAuthorizationCode:
		default:
			return invalid("grant_types", "%q is not one of %s, %s, %s, %s", shorten(grant),
				GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials, GrantPassword)
		}
	}
	if err := checkList("response_types", &m.ResponseTypes); err != nil {
		return err
	}
	code := slices.Contains(m.GrantTypes, GrantAuthorizationCode)
	switch {
	case len(m.ResponseTypes) == 0 && code:
		m.ResponseTypes = []string{responseTypeCode} // RFC 7591 §2
	case len(m.ResponseTypes) == 0:
	case len(m.ResponseTypes) > 1 || m.ResponseTypes[0] != responseTypeCode:
		return invalid("response_types", "only %s is supported", responseTypeCode)
	case !code:
		// RFC 7591 §2.1: the two lists must agree.
		return invalid("response_types", "%s needs the grant type %s", responseTypeCode, GrantAuthorizationCode)
	}
	return nil
}

func checkAuthentication(m *Metadata, p *Policy) *MetadataError {
	switch m.TokenEndpointAuthMethod {
	case "":
		m.TokenEndpointAuthMethod = AuthBasic // RFC 7591 §2
	case AuthBasic, AuthPost, AuthNone:
	case AuthPrivateKeyJWT:
		if m.JWKSURI == "" && len(m.JWKS) == 0 {
			return invalid("token_endpoint_auth_method", "%s needs the client's public keys: jwks_uri or jwks", AuthPrivateKeyJWT)
		}
	case authSecretJWT:
		// Its MAC needs the secret itself, and only a MAC of the secret is kept.
		return invalid("token_endpoint_auth_method", "%s is not supported, since no client secret is stored here: use %s",
			authSecretJWT, AuthPrivateKeyJWT)
	default:
		return invalid("token_endpoint_auth_method", "%q is not one of %s, %s, %s, %s",
			shorten(m.TokenEndpointAuthMethod), AuthBasic, AuthPost, AuthPrivateKeyJWT, AuthNone)
	}
	if m.TokenEndpointAuthMethod != AuthNone {
		return nil
	}
	if slices.Contains(m.GrantTypes, GrantClientCredentials) {
		// RFC 6749 §4.4: confidential clients only.
		return invalid("grant_types", "%s needs a client that authenticates: token_endpoint_auth_method must not be %s",
			GrantClientCredentials, AuthNone)
	}
	if p.IntrospectAll {
		return invalid("introspect_all", "it needs a client that authenticates: token_endpoint_auth_method must not be %s", AuthNone)
	}
	return nil
}

// checkScope holds the scope to RFC 6749 §3.3 and writes each token once, one space between two.
func checkScope(m *Metadata, _ *Policy) *MetadataError {
	if len(m.Scope) > maxScope {
		return invalid("scope", "longer than %d bytes", maxScope)
	}
	var scopes []string
	for token := range strings.SplitSeq(m.Scope, " ") {
		if token == "" {
			continue
		}
		if !validScope(token) {
			return invalid("scope", "%q is not a scope", shorten(token))
		}
		scopes = append(scopes, token)
	}
	if err := checkList("scope", &scopes); err != nil {
		return err
	}
	m.Scope = strings.Join(scopes, " ")
	return nil
}

// validScope is scope-token of RFC 6749 §3.3.
func validScope(token string) bool {
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return token != ""
}

func checkURIs(m *Metadata, p *Policy) *MetadataError {
	switch m.ApplicationType {
	case "":
		m.ApplicationType = applicationWeb
	case applicationWeb, applicationNative:
	default:
		return invalid("application_type", "%q is not one of %s, %s", shorten(m.ApplicationType), applicationWeb, applicationNative)
	}
	redirect := func(uri string) error { return checkRedirectURI(uri, m.ApplicationType) }
	lists := [...]struct {
		field string
		list  *[]string
		check func(string) error
	}{
		{"redirect_uris", &m.RedirectURIs, redirect},
		{"post_logout_redirect_uris", &m.PostLogoutRedirectURIs, redirect},
		{"resources", &p.Resources, checkResource},
	}
	for _, l := range lists {
		if err := checkList(l.field, l.list); err != nil {
			return err
		}
		for _, uri := range *l.list {
			if err := l.check(uri); err != nil {
				return invalid(l.field, "%q: %v", shorten(uri), err)
			}
		}
	}
	if len(m.RedirectURIs) == 0 && slices.Contains(m.GrantTypes, GrantAuthorizationCode) {
		return invalid("redirect_uris", "the grant type %s, which is the default, needs one", GrantAuthorizationCode)
	}
	webs := [...]struct{ field, uri string }{
		{"client_uri", m.ClientURI}, {"logo_uri", m.LogoURI}, {"policy_uri", m.PolicyURI}, {"tos_uri", m.TosURI},
	}
	for _, w := range webs {
		if w.uri == "" {
			continue
		}
		if err := checkWebURI(w.uri); err != nil {
			return invalid(w.field, "%q: %v", shorten(w.uri), err)
		}
	}
	return nil
}

// MaxAccessTokenTTL bounds the life of an access token: a resource server that verifies by itself believes it that long,
// and a signing key stays published that long after its last use.
const MaxAccessTokenTTL = 24 * time.Hour

// maxSession bounds the life of a grant; beyond it nobody means what they wrote.
const maxSession = 10 * 365 * 24 * time.Hour

// maxOverlap bounds how long a retired refresh token may still be presented.
const maxOverlap = 5 * time.Minute

func checkLifetimes(_ *Metadata, p *Policy) *MetadataError {
	ttls := [...]struct {
		field string
		ttl   Duration
		most  time.Duration
	}{
		{"access_token_ttl", p.AccessTokenTTL, MaxAccessTokenTTL},
		{"refresh_token_ttl", p.RefreshTokenTTL, maxSession},
		{"refresh_token_idle_ttl", p.RefreshTokenIdleTTL, maxSession},
	}
	for _, t := range ttls {
		if ttl := t.ttl.Std(); ttl != 0 && (ttl < time.Second || ttl > t.most || ttl%time.Second != 0) {
			return invalid(t.field, "%s is not a number of seconds from 1s to %s", t.ttl, Duration(t.most))
		}
	}
	if p.RefreshTokenTTL != 0 && p.RefreshTokenIdleTTL > p.RefreshTokenTTL {
		return invalid("refresh_token_idle_ttl", "%s is longer than refresh_token_ttl", p.RefreshTokenIdleTTL)
	}
	if o := p.RotationOverlap; o != nil {
		if o.Std() < 0 || o.Std() > maxOverlap {
			return invalid("rotation_overlap", "%s is not from 0s to %s", *o, Duration(maxOverlap))
		}
		overlap := *o // the caller's may change
		p.RotationOverlap = &overlap
	}
	return nil
}

func checkPolicy(_ *Metadata, p *Policy) *MetadataError {
	switch p.Rotation {
	case "", RotationStrict, RotationConfirmed, RotationReissue, RotationOff:
	default:
		return invalid("rotation", "%q is not one of strict, confirmed, reissue, off", string(p.Rotation))
	}
	switch p.OnReuse {
	case "", OnReuseRevoke, OnReuseReject:
	default:
		return invalid("on_reuse", "%q is not one of revoke, reject", string(p.OnReuse))
	}
	switch p.AccessTokenFormat {
	case "", FormatJWT, FormatOpaque, FormatSimpleJWT:
	default:
		return invalid("access_token_format", "%q is not one of jwt, opaque, simplejwt", string(p.AccessTokenFormat))
	}
	switch p.AccessTokenSigningAlg {
	case "":
	case "ES256", "EdDSA", "RS256":
		if p.AccessTokenFormat != "" && p.AccessTokenFormat != FormatJWT {
			return invalid("access_token_signed_response_alg", "it is for the format jwt only")
		}
	default:
		return invalid("access_token_signed_response_alg", "%q is not one of ES256, EdDSA, RS256", p.AccessTokenSigningAlg)
	}
	return nil
}

// checkList bounds a list and replaces it by a copy without empty and repeated members, in order; nil when nothing is left.
func checkList(field string, list *[]string) *MetadataError {
	if len(*list) > maxList {
		return invalid(field, "more than %d", maxList)
	}
	var kept []string
	for _, s := range *list {
		if s != "" && !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	*list = kept
	return nil
}

// shorten keeps an error about a long text readable.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
