package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"latchkey/storage"
)

// The scopes of OpenID Connect (Core §5.4, §11).
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopeEmail   = "email"
	// ScopeOffline asks for a session that outlives a logout. Any client that is registered for refresh tokens may ask for it.
	ScopeOffline = "offline_access"
)

// Scopes returns the scopes that mean the same at every server.
func Scopes() []string { return []string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeOffline} }

// ofScope are the claims of OpenID Connect Core §5.1 that Latchkey has, by the scope that asks for them.
var ofScope = map[string][]string{
	ScopeProfile: {"name", "preferred_username"},
	ScopeEmail:   {"email", "email_verified"},
}

// OfScope returns the names of the claims that a scope asks for.
func OfScope(scope string) []string { return ofScope[scope] }

// Names returns the names of the claims about users that the userinfo endpoint has.
func Names() []string {
	return []string{"sub", "name", "preferred_username", "email", "email_verified"}
}

// Of returns the value of one claim; ok is false when the user has none. No address was ever verified, and email_verified says so.
func Of(u *storage.User, name string) (value any, ok bool) {
	switch name {
	case "name", "preferred_username":
		return u.Username, true
	case "email":
		return u.Email, u.Email != ""
	case "email_verified":
		return false, u.Email != ""
	}
	return nil, false
}

// Request is the claims parameter (OpenID Connect Core §5.5). Unknown claims are ignored, as the section wants.
type Request struct {
	UserInfo map[string]*RequestedClaim `json:"userinfo,omitempty"`
	IDToken  map[string]*RequestedClaim `json:"id_token,omitempty"`
}

// RequestedClaim is nil for a claim that is voluntary, whatever its value.
type RequestedClaim struct {
	Essential bool            `json:"essential,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
}

var errMalformed = errors.New("not an object of claims")

// Parse reads a claims parameter.
func Parse(text string) (*Request, error) {
	r := new(Request)
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := d.Decode(r); err != nil {
		return nil, errMalformed
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errMalformed
	}
	return r, nil
}

// Subject returns the value of sub that the ID token must have (§5.5.1); empty when any will do.
func (r *Request) Subject() string {
	var sub string
	if asked := r.IDToken["sub"]; asked != nil && json.Unmarshal(asked.Value, &sub) == nil {
		return sub
	}
	return ""
}

// Stored returns what is stored with the code and the grant: the names of the claims that Latchkey has. r may be nil.
func (r *Request) Stored() string {
	if r == nil {
		return ""
	}
	known := func(asked map[string]*RequestedClaim) map[string]*RequestedClaim {
		names := map[string]*RequestedClaim{}
		for _, name := range Names()[1:] {
			if _, ok := asked[name]; ok {
				names[name] = nil
			}
		}
		return names
	}
	k := Request{UserInfo: known(r.UserInfo), IDToken: known(r.IDToken)}
	if len(k.UserInfo) == 0 && len(k.IDToken) == 0 {
		return ""
	}
	text, err := json.Marshal(k)
	if err != nil {
		panic(err) // names only
	}
	return string(text)
}

// ParseStored reads the result of Stored. Text of a later release that this one can't read asks for nothing.
func ParseStored(text string) *Request {
	r := new(Request)
	if text != "" {
		_ = json.Unmarshal([]byte(text), r)
	}
	return r
}
