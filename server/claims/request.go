package claims

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Request is the claims parameter (OpenID Connect Core §5.5). Unknown claims are ignored, as the section wants.
type Request struct {
	UserInfo map[string]*RequestedClaim `json:"userinfo,omitempty"`
	IDToken  map[string]*RequestedClaim `json:"id_token,omitempty"`
}

// RequestedClaim is nil for a claim that is voluntary, whatever its value.
type RequestedClaim struct {
	Essential bool              `json:"essential,omitempty"`
	Value     json.RawMessage   `json:"value,omitempty"`
	Values    []json.RawMessage `json:"values,omitempty"`
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

// UnmetACR reports whether the request makes an acr essential that no login here has (§5.5.1.1).
func (r *Request) UnmetACR() bool {
	asked := r.IDToken["acr"]
	if asked == nil || !asked.Essential {
		return false
	}
	values := asked.Values
	if len(asked.Value) > 0 {
		values = append(values[:len(values):len(values)], asked.Value)
	}
	for _, raw := range values {
		var acr string
		if json.Unmarshal(raw, &acr) == nil && acr == ACRPassword {
			return false
		}
	}
	return len(values) > 0
}

// ParseStored reads the result of Stored. Text of a later release that this one can't read asks for nothing.
func ParseStored(text string) *Request {
	r := new(Request)
	if text != "" {
		_ = json.Unmarshal([]byte(text), r)
	}
	return r
}
