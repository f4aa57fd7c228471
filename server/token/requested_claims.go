package token

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"latchkey/storage"
)

// The scopes of OpenID Connect (Core §5.4) that the service knows.
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
)

// OpenIDScopes are the scopes that mean the same at every server.
func OpenIDScopes() []string { return []string{scopeOpenID, scopeProfile, scopeEmail, scopeOffline} }

// claimsOfScope are the claims of OpenID Connect Core §5.1 that Latchkey can tell of a user, by the scope that asks for them.
var claimsOfScope = map[string][]string{
	scopeProfile: {"name", "preferred_username"},
	scopeEmail:   {"email", "email_verified"},
}

// UserClaimNames are the claims about users that the userinfo endpoint knows.
func UserClaimNames() []string {
	return []string{"sub", "name", "preferred_username", "email", "email_verified"}
}

// userInfoClaim gives one claim, if the user has it. Whether an address is the user's was never verified, and that is said.
func userInfoClaim(u *storage.User, name string) (any, bool) {
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

// requestedClaims is the claims parameter (OpenID Connect Core §5.5), as far as it matters here: unknown claims are ignored,
// as the section wants.
type requestedClaims struct {
	UserInfo map[string]*requestedClaim `json:"userinfo,omitempty"`
	IDToken  map[string]*requestedClaim `json:"id_token,omitempty"`
}

// requestedClaim is nil for "voluntary, whatever its value".
type requestedClaim struct {
	Essential bool            `json:"essential,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
}

var errClaims = errors.New("not an object of claims")

func parseClaims(text string) (*requestedClaims, error) {
	c := new(requestedClaims)
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := d.Decode(c); err != nil {
		return nil, errClaims
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errClaims
	}
	return c, nil
}

// subject is whom the request asks for by the sub of the ID token (§5.5.1); empty = anybody.
func (c *requestedClaims) subject() string {
	var sub string
	if asked := c.IDToken["sub"]; asked != nil && json.Unmarshal(asked.Value, &sub) == nil {
		return sub
	}
	return ""
}

// kept is what is stored with the code and the grant: the names that can be answered.
func (c *requestedClaims) kept() string {
	if c == nil {
		return ""
	}
	known := func(asked map[string]*requestedClaim) map[string]*requestedClaim {
		names := map[string]*requestedClaim{}
		for _, name := range UserClaimNames()[1:] {
			if _, ok := asked[name]; ok {
				names[name] = nil
			}
		}
		return names
	}
	k := requestedClaims{UserInfo: known(c.UserInfo), IDToken: known(c.IDToken)}
	if len(k.UserInfo) == 0 && len(k.IDToken) == 0 {
		return ""
	}
	text, err := json.Marshal(k)
	if err != nil {
		panic(err) // names only
	}
	return string(text)
}

// keptClaims reads what kept wrote.
func keptClaims(text string) *requestedClaims {
	c := new(requestedClaims)
	if text != "" {
		_ = json.Unmarshal([]byte(text), c) // what a later release wrote and this one can't read asks for nothing
	}
	return c
}
